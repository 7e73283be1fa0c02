package scrape

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// kind says what becomes of a figure.
type kind int

const (
	// gauge: the value as it is.
	gauge kind = iota
	// counter: the value, summed over all labels but the channel.
	counter
	// mean: of the observations since the reading before.
	mean
)

// figure is one of Fabric's metrics.
type figure struct {
	// name is Fabric's own.
	name string
	// unit is that of the samples. Fabric's seconds become nanoseconds.
	unit string
	kind kind
}

const (
	blocks       = "blocks"
	transactions = "transactions"
	ns           = "ns"
)

// figures are those about a block's way, in the order of their samples. Versions
// 1.4 to 3.1 have the same names; 1.4's solo orderer has none of consensus.
var figures = []figure{
	{"blockcutter_block_fill_duration", ns, mean},
	{"broadcast_processed_count", transactions, counter},
	{"consensus_etcdraft_committed_block_number", "", gauge},
	// Summed over all streams, a recorder's own included.
	{"deliver_blocks_sent", blocks, counter},
	{"gossip_payload_buffer_size", blocks, gauge},
	{"gossip_privdata_commit_block_duration", ns, mean},
	{"gossip_privdata_validation_duration", ns, mean},
	{"gossip_state_commit_duration", ns, mean},
	// Absent until the first commit after a start.
	{"gossip_state_height", blocks, gauge},
	{"ledger_block_processing_time", ns, mean},
	{"ledger_blockchain_height", blocks, gauge},
	{"ledger_blockstorage_and_pvtdata_commit_time", ns, mean},
	{"ledger_statedb_commit_time", ns, mean},
	{"ledger_transaction_count", transactions, counter},
}

var figureOf = func() map[string]figure {
	m := map[string]figure{}
	for _, f := range figures {
		m[f.name] = f
	}
	return m
}()

// Limits of a page. 300 channels make one of about 4 MB, of which some hundred kB are kept.
const (
	maxPageBytes = 16 << 20
	maxLineBytes = 64 << 10
	maxKeptBytes = 4 << 20
	maxSeries    = 10_000
)

// startTime is when the node's process has begun, in seconds.
const startTime = "process_start_time_seconds"

// always are names that every Fabric node shows, a channel or not.
var always = []string{"fabric_version", "logging_entries_checked", "logging_entries_written"}

// series is a figure on one channel.
type series struct{ name, channel string }

// reading is what a page says of a series: a gauge's or a counter's value, or the sum
// and the number of a histogram's observations.
type reading struct{ value, count float64 }

// page is what was kept of a page.
type page struct {
	readings map[series]reading
	// started is when the process began, in seconds; 0 if the page does not tell.
	started float64
}

var (
	errNotFabric = errors.New("the page shows nothing of Fabric's")
	errTooLarge  = fmt.Errorf("the page is larger than any node's: the limits are %d MiB, and %d MiB of Fabric's figures",
		maxPageBytes>>20, maxKeptBytes>>20)
)

// parse reads a page. A figure that is not a number is not there.
func parse(r io.Reader) (page, error) {
	kept, known, err := keep(r)
	if err != nil {
		return page{}, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(kept))
	if err != nil {
		return page{}, fmt.Errorf("of the lines of Fabric's figures: %w", err)
	}
	if len(families) == 0 && !known {
		return page{}, errNotFabric
	}
	p := page{readings: map[series]reading{}}
	for name, family := range families {
		if name == startTime {
			p.started = family.GetMetric()[0].GetGauge().GetValue()
			continue
		}
		if err := p.add(figureOf[name], family); err != nil {
			return page{}, err
		}
	}
	return p, nil
}

// keep gives the lines of the figures, without buckets. known reports whether one of the
// others is Fabric's.
func keep(r io.Reader) (kept []byte, known bool, err error) {
	lines := bufio.NewScanner(io.LimitReader(r, maxPageBytes+1))
	lines.Buffer(nil, maxLineBytes)
	read := 0
	for lines.Scan() {
		line := lines.Bytes()
		read += len(line) + 1
		name := nameOf(line)
		known = known || slices.Contains(always, name)
		if wanted(name) {
			kept = append(append(kept, line...), '\n')
		}
		if read > maxPageBytes || len(kept) > maxKeptBytes {
			return nil, false, errTooLarge
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, false, fmt.Errorf("%w: a line is longer than %d kB", errNotFabric, maxLineBytes>>10)
	} else if err != nil {
		return nil, false, err
	}
	return kept, known, nil
}

// nameOf gives the metric that a line is about, its type included; empty for others.
func nameOf(line []byte) string {
	if rest, ok := bytes.CutPrefix(line, []byte("# TYPE ")); ok {
		line = rest
	}
	end := bytes.IndexAny(line, "{ \t")
	if end < 0 {
		return ""
	}
	return string(line[:end])
}

func wanted(name string) bool {
	if _, ok := figureOf[name]; ok || name == startTime {
		return true
	}
	for _, suffix := range []string{"_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && figureOf[base].kind == mean {
			return true
		}
	}
	return false
}

// add takes the values of a figure.
func (p *page) add(f figure, family *dto.MetricFamily) error {
	for _, m := range family.GetMetric() {
		var r reading
		switch {
		case f.kind == mean && m.GetHistogram() != nil:
			h := m.GetHistogram()
			r = reading{h.GetSampleSum(), float64(h.GetSampleCount())}
		case f.kind == counter && m.GetCounter() != nil:
			r.value = m.GetCounter().GetValue()
		case f.kind == gauge && m.GetGauge() != nil:
			r.value = m.GetGauge().GetValue()
		default:
			continue // another type than Fabric's: not this figure
		}
		if math.IsNaN(r.value) || math.IsInf(r.value, 0) {
			continue
		}
		key := series{name: f.name, channel: channelOf(m)}
		before, twice := p.readings[key]
		if twice && f.kind == gauge {
			return fmt.Errorf("%s of channel %q is there twice: the page is not that of one node", f.name, key.channel)
		}
		p.readings[key] = reading{before.value + r.value, before.count + r.count}
		if len(p.readings) > maxSeries {
			return fmt.Errorf("it has more than %d series of Fabric's figures", maxSeries)
		}
	}
	return nil
}

func channelOf(m *dto.Metric) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == "channel" {
			return l.GetValue()
		}
	}
	return ""
}

// of gives the series of a figure, by channel.
func (p page) of(name string) (keys []series) {
	for key := range p.readings {
		if key.name == name {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b series) int { return strings.Compare(a.channel, b.channel) })
	return keys
}
