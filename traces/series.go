package traces

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"unicode/utf8"

	"github.com/blockreel/blockreel/traces/event"
)

// A Series is a quantity that is sampled over time. It belongs to a node and maybe to
// one of its channels rather than to a block.
type Series struct {
	// Name is one of the Series constants, or any other name of a quantity.
	Name string
	// Unit is that of the values: "blocks", "ns", …; empty for a plain number.
	Unit string
	// Node is the orderer or the peer, spelled as the header's streams spell it.
	Node string
	// Channel is empty when the quantity is of the whole node.
	Channel string
}

// Names of series that blockreel itself reads or writes. Those of Fabric's metrics are
// used as they are. A histogram of Fabric's gives a series of averages: the value at an
// instant is the mean of what has happened since the sample before it, and where nothing
// has happened there is no sample.
const (
	// SeriesObserving is 1 from the moment when a node's stream is being watched, and 0
	// from the moment when it is lost. It is of the node, or of one of its channels. Before
	// its first sample it tells nothing: a recorder that waits for a node writes 0 first.
	SeriesObserving = "observing"

	SeriesBufferSize       = "gossip_payload_buffer_size" // blocks in the payloads buffer, of peer and channel
	SeriesStateHeight      = "gossip_state_height"        // height as gossip knows it, of peer and channel
	SeriesBlockchainHeight = "ledger_blockchain_height"   // of node and channel
	SeriesBlocksSent       = "deliver_blocks_sent"        // since the orderer's start, over all its streams

	SeriesCommitDuration        = "gossip_state_commit_duration"                // ns a block, average
	SeriesPrivdataValidation    = "gossip_privdata_validation_duration"         // ns a block, average
	SeriesPrivdataCommitBlock   = "gossip_privdata_commit_block_duration"       // ns a block, average
	SeriesBlockProcessing       = "ledger_block_processing_time"                // ns a block, average
	SeriesBlockStorageCommit    = "ledger_blockstorage_and_pvtdata_commit_time" // ns a block, average
	SeriesStateDBCommit         = "ledger_statedb_commit_time"                  // ns a block, average
	SeriesTransactionCount      = "ledger_transaction_count"                    // since the peer's start
	SeriesBlockFillDuration     = "blockcutter_block_fill_duration"             // ns a block, average, of the orderer
	SeriesBroadcastProcessed    = "broadcast_processed_count"                   // since the orderer's start
	SeriesRaftCommittedBlockNum = "consensus_etcdraft_committed_block_number"
)

// Units of series.
const (
	UnitBlocks = "blocks"
	UnitNS     = "ns"
)

// A SampleColumn holds the samples of a series in the order of their times.
type SampleColumn struct {
	Series
	// At does not descend; samples of one instant stand in the order of their coming.
	At []event.Time
	// Value has one entry for each of At, and none is infinite or not a number.
	Value []float64
}

// Len is the number of samples.
func (c *SampleColumn) Len() int { return len(c.At) }

// Before returns the index of the last sample that is not later than at, −1 when there
// is none. It is the one that holds at that instant.
func (c *SampleColumn) Before(at event.Time) int {
	return sort.Search(len(c.At), func(i int) bool { return c.At[i] > at }) - 1
}

// Sampled returns the samples of the series of that name, node and channel, nil when the
// trace has none. Where a unit differs, they are of the first such series.
func (t *Trace) Sampled(name, node, channel string) *SampleColumn {
	for i := range t.Samples {
		if s := &t.Samples[i]; s.Name == name && s.Node == node && s.Channel == channel {
			return s
		}
	}
	return nil
}

var errNotFinite = errors.New("is not a finite number: leave the sample out")

// String returns the series as people write it: name node/channel.
func (s Series) String() string {
	switch {
	case s.Node == "" && s.Channel == "":
		return s.Name
	case s.Channel == "":
		return s.Name + " of " + s.Node
	case s.Node == "":
		return s.Name + " of " + s.Channel
	}
	return s.Name + " of " + s.Channel + "@" + s.Node
}

func (s Series) bytes() int { return len(s.Name) + len(s.Unit) + len(s.Node) + len(s.Channel) }

func (s Series) validate() error {
	if s.Name == "" {
		return errors.New("series has no name")
	}
	for _, part := range []string{s.Name, s.Unit, s.Node, s.Channel} {
		if !utf8.ValidString(part) {
			return fmt.Errorf("series %q: %q is not UTF-8", s, part)
		}
	}
	return checkLimit("bytes of a series' names", uint64(s.bytes()), MaxSeriesBytes)
}

func checkSample(at event.Time, v float64) error {
	if !valid(int64(at)) {
		return fmt.Errorf("its instant is %d: over the limit of %d from zero", at, int64(MaxValue))
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%v %w", v, errNotFinite)
	}
	return nil
}

// validate reports whether the column can be written.
func (c *SampleColumn) validate() error {
	if len(c.At) != len(c.Value) {
		return fmt.Errorf("series %v has %d instants for %d values", c.Series, len(c.At), len(c.Value))
	}
	if err := c.Series.validate(); err != nil {
		return err
	}
	for i, at := range c.At {
		if err := checkSample(at, c.Value[i]); err != nil {
			return fmt.Errorf("sample of %v: %w", c.Series, err)
		}
	}
	return nil
}

// sort brings the samples into the order of their times.
func (c *SampleColumn) sort() {
	if !slices.IsSorted(c.At) {
		sort.Stable(byTime{c})
	}
}

type byTime struct{ *SampleColumn }

func (b byTime) Less(i, j int) bool { return b.At[i] < b.At[j] }
func (b byTime) Swap(i, j int) {
	b.At[i], b.At[j] = b.At[j], b.At[i]
	b.Value[i], b.Value[j] = b.Value[j], b.Value[i]
}

// A sampleSet holds columns by their series, in the order of their first sample.
type sampleSet struct {
	columns []SampleColumn
	index   map[Series]int
}

// late counts the samples that lie before one that came earlier.
func (x *sampleSet) late() (n int) {
	for i := range x.columns {
		last := event.Time(event.Missing)
		for _, at := range x.columns[i].At {
			if at < last {
				n++
			}
			last = max(last, at)
		}
	}
	return n
}

// column returns the column of s, which it makes when there is none.
func (x *sampleSet) column(s Series) (*SampleColumn, error) {
	if i, ok := x.index[s]; ok {
		return &x.columns[i], nil
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	if err := checkLimit("series of the trace", uint64(len(x.columns)+1), MaxSeries); err != nil {
		return nil, err
	}
	if x.index == nil {
		x.index = map[Series]int{}
	}
	x.index[s] = len(x.columns)
	x.columns = append(x.columns, SampleColumn{Series: s})
	return &x.columns[len(x.columns)-1], nil
}
