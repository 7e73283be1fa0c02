package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/blockreel/blockreel/replay/network"
)

var (
	heightDesc = prometheus.NewDesc("ledger_blockchain_height", "Height of the chain in blocks.", []string{"channel"}, nil)
	sentDesc   = prometheus.NewDesc("deliver_blocks_sent", "The number of blocks sent by the deliver service.",
		[]string{"channel", "filtered", "data_type"}, nil)
)

// collectStatus sends the figures of a channel that nodes of both kinds have.
func collectStatus(to chan<- prometheus.Metric, c network.ChannelStatus) {
	to <- prometheus.MustNewConstMetric(heightDesc, prometheus.GaugeValue, float64(c.Height), c.Channel)
	if c.Sent > 0 {
		to <- prometheus.MustNewConstMetric(sentDesc, prometheus.CounterValue, float64(c.Sent), c.Channel, "false", "block")
	}
	if c.SentFiltered > 0 {
		to <- prometheus.MustNewConstMetric(sentDesc, prometheus.CounterValue, float64(c.SentFiltered), c.Channel, "true", "filtered_block")
	}
}
