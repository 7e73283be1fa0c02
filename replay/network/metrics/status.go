package metrics

import "github.com/prometheus/client_golang/prometheus"

// Node is what a node tells of itself when its page is read.
type Node struct {
	// Name is the node's in the streams.
	Name     string
	Channels []Channel
}

// Channel is a channel at a node.
type Channel struct {
	Name string
	// Height of the node's ledger.
	Height uint64
	// Sent and SentFiltered are the blocks that the node's Deliver services have sent, to
	// all their readers.
	Sent, SentFiltered uint64
}

var (
	heightDesc = prometheus.NewDesc("ledger_blockchain_height", "Height of the chain in blocks.", []string{"channel"}, nil)
	sentDesc   = prometheus.NewDesc("deliver_blocks_sent", "The number of blocks sent by the deliver service.",
		[]string{"channel", "filtered", "data_type"}, nil)
)

// collect tells a channel's.
func (c *Channel) collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(heightDesc, prometheus.GaugeValue, float64(c.Height), c.Name)
	if c.Sent > 0 {
		to <- prometheus.MustNewConstMetric(sentDesc, prometheus.CounterValue, float64(c.Sent), c.Name, "false", "block")
	}
	if c.SentFiltered > 0 {
		to <- prometheus.MustNewConstMetric(sentDesc, prometheus.CounterValue, float64(c.SentFiltered), c.Name, "true", "filtered_block")
	}
}
