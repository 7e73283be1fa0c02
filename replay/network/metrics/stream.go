package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/blockreel/blockreel/traces/event"
)

// mintedChaincode is the one that the transactions of minted blocks call.
const mintedChaincode = "basic"

// Fabric's buckets, in seconds: those of its ledger, and Prometheus' own for the others.
var (
	ledgerBuckets = []float64{0.005, 0.01, 0.015, 0.05, 0.1, 1, 10}
	gossipBuckets = prometheus.DefBuckets
)

// Fabric's histograms of a peer.
const (
	validation = iota
	privdata
	commit
	processing
	blockStore
	stateStore
	numDurations
)

var durations = [numDurations]struct {
	name, help string
	buckets    []float64
}{
	validation: {"gossip_privdata_validation_duration", "Time it takes to validate a block (in seconds)", gossipBuckets},
	privdata:   {"gossip_privdata_commit_block_duration", "Time it takes to commit private data and the corresponding block (in seconds)", gossipBuckets},
	commit:     {"gossip_state_commit_duration", "Time it takes to commit a block in seconds", gossipBuckets},
	processing: {"ledger_block_processing_time", "Time taken in seconds for ledger block processing.", ledgerBuckets},
	blockStore: {"ledger_blockstorage_and_pvtdata_commit_time", "Time taken in seconds for committing the block and private data to storage.", ledgerBuckets},
	stateStore: {"ledger_statedb_commit_time", "Time taken in seconds for committing block changes to state db.", ledgerBuckets},
}

// stream is what a peer's page shows of a channel beyond its height.
type stream struct {
	channel string
	took    [numDurations]prometheus.Histogram

	mu                 sync.Mutex
	sent, received     int64
	enqueued, dequeued int64
	committed          int64
	// transactions of a block: all have the same number of them.
	transactions int64
	height       event.Height // of the peer
	offered      event.Height // of the orderer
	// atDoor is since when a block stands at the door.
	atDoor  moment
	blocked event.Time
	// starving is since when the committer is idle, has nothing in the buffer, and the
	// orderer has a block that it lacks.
	starving moment
	starved  event.Time
	// busy: the committer has a block, since poppedAt.
	busy                  bool
	poppedAt, validatedAt event.Time
}

func newStream(channel string) *stream {
	s := &stream{channel: channel}
	for i, d := range durations {
		s.took[i] = prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: d.name, Help: d.help, Buckets: d.buckets, ConstLabels: prometheus.Labels{"channel": channel},
		})
	}
	return s
}

// moment is an instant, or none.
type moment struct {
	at  event.Time
	set bool
}

// end gives the time from the moment to at, and unsets it.
func (m *moment) end(at event.Time) event.Time {
	took := max(at-m.at, 0)
	if !m.set {
		took = 0
	}
	m.set = false
	return took
}

// observe takes an event. The orderer's may come from another goroutine than the peer's.
func (s *stream) observe(e event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := event.Time(e.Value)
	switch e.Kind {
	case event.Offered:
		s.offered = max(s.offered, e.Block.Height())
		if !s.busy && !s.starving.set && s.enqueued == s.dequeued {
			s.starving = moment{at, true}
		}
	case event.Sent:
		s.sent++
	case event.Received:
		s.received++
	case event.AtDoor:
		s.atDoor = moment{at, true}
	case event.Enqueued:
		s.enqueued++
		s.blocked += s.atDoor.end(at)
		s.starved += s.starving.end(at)
	case event.Dequeued:
		s.dequeued++
		s.busy, s.poppedAt = true, at
	case event.Validated:
		s.validatedAt = at
	case event.Committed:
		s.commit(e.Block, at)
	case event.Transactions:
		s.transactions = e.Value
	case event.StateValidation:
		s.add(processing, at)
	case event.BlockStore:
		s.add(blockStore, at)
	case event.StateCommit:
		s.add(stateStore, at)
	}
}

func (s *stream) commit(n event.BlockNum, at event.Time) {
	s.committed++
	s.height, s.busy = n.Height(), false
	if s.offered > s.height && s.enqueued == s.dequeued {
		s.starving = moment{at, true}
	}
	s.add(validation, s.validatedAt-s.poppedAt)
	s.add(privdata, at-s.validatedAt)
	s.add(commit, at-s.poppedAt)
}

func (s *stream) add(duration int, took event.Time) { s.took[duration].Observe(seconds(took)) }

func seconds(t event.Time) float64 { return t.Duration().Seconds() }

var (
	channelLabel = []string{"channel"}
	bufferDesc   = prometheus.NewDesc("gossip_payload_buffer_size", "Size of the payload buffer", channelLabel, nil)
	gossipDesc   = prometheus.NewDesc("gossip_state_height", "Current ledger height", channelLabel, nil)
	countDesc    = prometheus.NewDesc("ledger_transaction_count", "Number of transactions processed.",
		[]string{"channel", "transaction_type", "chaincode", "validation_code"}, nil)

	doorDesc = prometheus.NewDesc("blockreel_door_blocks",
		"Blocks that stand before the full payload buffer: 0 or 1.", channelLabel, nil)
	blockedDesc = prometheus.NewDesc("blockreel_blocked_seconds_total",
		"Time for which blocks have stood before the full payload buffer and have then been admitted.", channelLabel, nil)
	starvedDesc = prometheus.NewDesc("blockreel_starved_seconds_total",
		"Time for which the committer was idle, with an empty buffer, while the orderer held a block that the peer lacked; the block's way to an idle peer is part of it.", channelLabel, nil)
	flightDesc = prometheus.NewDesc("blockreel_in_flight_blocks",
		"Blocks whose Send at the orderer has returned and that the peer has not read.", channelLabel, nil)
)

// collect sends the figures that there are; the buffer and what follows from commits is absent
// before the first of them.
func (s *stream) collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tell := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, t, v, append([]string{s.channel}, labels...)...)
	}
	door := 0.0
	if s.atDoor.set {
		door = 1
	}
	tell(doorDesc, prometheus.GaugeValue, door)
	tell(blockedDesc, prometheus.CounterValue, seconds(s.blocked))
	tell(starvedDesc, prometheus.CounterValue, seconds(s.starved))
	tell(flightDesc, prometheus.GaugeValue, float64(max(s.sent-s.received, 0)))
	if s.enqueued > 0 {
		tell(bufferDesc, prometheus.GaugeValue, float64(s.enqueued-s.dequeued))
	}
	if s.committed == 0 {
		return
	}
	tell(gossipDesc, prometheus.GaugeValue, float64(s.height))
	tell(countDesc, prometheus.CounterValue, float64(s.committed*s.transactions), "ENDORSER_TRANSACTION", mintedChaincode, "VALID")
	for _, h := range s.took {
		to <- h
	}
}
