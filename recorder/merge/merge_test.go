package merge

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// trace makes a trace of one stream, ch1@peer, that begins at base and has a value of kind
// k for the blocks from first on: base's distance from noon and a ms a block, if it is a
// time; all the same otherwise.
func trace(base time.Time, k event.Kind, first, n int, late time.Duration) *traces.Trace {
	stream := traces.Stream{Channel: "ch1", Peer: "peer", Settings: traces.Settings{}}
	tl := traces.NewTimeline(stream, event.BlockNum(first), n)
	for i := range n {
		v := int64(10)
		if k.IsTime() {
			v = int64(noon.Sub(base) + time.Duration(first+i)*time.Millisecond + late)
		}
		tl.MakeColumn(k)[i] = v
	}
	return &traces.Trace{Header: traces.Header{Base: base, Source: "test", Streams: []traces.Stream{stream}}, Timelines: []*traces.Timeline{tl}}
}

func join(t *testing.T, cfg Config, all ...*traces.Trace) (*traces.Trace, error) {
	t.Helper()
	var inputs []Input
	for i, tr := range all {
		inputs = append(inputs, Input{Name: fmt.Sprintf("trace%d", i), Trace: tr})
	}
	return Traces(inputs, cfg)
}

func column(tr *traces.Trace, k event.Kind) (first event.BlockNum, values []int64) {
	return tr.Timelines[0].First, tr.Timelines[0].Column(k)
}

// The merged trace of two that began at different times begins with the earlier one, and a
// block's time is the same instant in both.
func TestShift(t *testing.T) {
	for _, seconds := range []time.Duration{-2, 3} {
		a := trace(noon, event.Offered, 5, 10, 0)
		b := trace(noon.Add(seconds*time.Second), event.Offered, 8, 10, 2*time.Millisecond)
		committed := trace(b.Base, event.Committed, 8, 10, 9*time.Millisecond)
		copy(b.Timelines[0].MakeColumn(event.Committed), committed.Timelines[0].Column(event.Committed))
		got, err := join(t, Config{}, a, b)
		if err != nil {
			t.Fatal(err)
		}
		if want := noon.Add(min(0, seconds*time.Second)); !got.Base.Equal(want) {
			t.Errorf("base %v, want %v", got.Base, want)
		}
		first, offered := column(got, event.Offered)
		if first != 5 || len(offered) != 13 {
			t.Fatalf("%d blocks from %d on", len(offered), first)
		}
		for i, v := range offered {
			want := noon.Sub(got.Base) + time.Duration(5+i)*time.Millisecond
			if i >= 10 { // b's alone
				want += 2 * time.Millisecond
			}
			if time.Duration(v) != want {
				t.Errorf("block %d offered at %v, want %v", 5+i, time.Duration(v), want)
			}
		}
		if _, v := column(got, event.Committed); v[2] != event.Missing || time.Duration(v[3]) != noon.Sub(got.Base)+17*time.Millisecond {
			t.Errorf("committed at %v and %v", v[2], v[3])
		}
		if len(got.Notes) != 1 || !strings.Contains(got.Notes[0].Text, "2ms apart in the median, 2ms to 2ms, in 7 comparisons") {
			t.Errorf("notes %v", got.Notes)
		}
	}
}

func TestRefusals(t *testing.T) {
	a := trace(noon, event.Offered, 0, 10, 0)
	later := noon.Add(time.Second)
	other := trace(later, event.Offered, 0, 10, 0)
	other.Timelines[0].Peer, other.Streams[0].Peer = "peer9", "peer9"
	ten, twelve := trace(noon, event.Transactions, 0, 10, 0), trace(noon, event.Transactions, 5, 10, 0)
	twelve.Timelines[0].MakeColumn(event.Transactions)[2] = 12
	for name, c := range map[string]struct {
		a, b *traces.Trace
		want string
	}{
		"clocks":       {a, trace(later, event.Offered, 0, 10, 150*time.Millisecond), "are 150ms later than those of the same blocks in earlier traces (median of 10)"},
		"other blocks": {a, trace(later, event.Offered, 20, 10, 0), "clocks cannot be compared"},
		"other kind":   {a, trace(later, event.Committed, 0, 10, 0), "clocks cannot be compared"},
		"no base":      {a, trace(time.Time{}, event.Offered, 0, 10, 0), "only one of trace0 and trace1 contains the time of its start"},
		"no stream":    {a, other, "trace1: it has the streams [ch1@peer9], and none of the earlier traces' [ch1@peer]"},
		"transactions": {ten, twelve, "block 7 of ch1@peer: transactions is 10, and 12 in"},
	} {
		if _, err := join(t, Config{}, c.a, c.b); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "is 12, and 10 in", "is 10, and 12 in"), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := join(t, Config{Tolerance: time.Second}, a, trace(later, event.Offered, 0, 10, 150*time.Millisecond)); err != nil {
		t.Error(err)
	}
	same := trace(noon, event.Offered, 0, 10, 0)
	same.Timelines[0].Peer, same.Streams[0].Peer = "peer9", "peer9"
	if got, err := join(t, Config{}, a, same); err != nil || len(got.Timelines) != 2 {
		t.Errorf("another stream of the same recorder: %v, %v", got, err)
	}
	got, err := join(t, Config{TrustClocks: true}, a, trace(later, event.Offered, 20, 10, 0))
	if err != nil || got.Timelines[0].Observed(event.Offered) != 20 || !strings.Contains(got.Notes[0].Text, "was merged with trace0 although no block") {
		t.Errorf("trusted: %v, %v", got, err)
	}
}

// TestSettingsNotesSamples joins what is not of a block.
func TestSettingsNotesSamples(t *testing.T) {
	a, b := trace(noon, event.Offered, 0, 10, 0), trace(noon.Add(-time.Second), event.Offered, 0, 10, 0)
	a.Timelines[0].Settings = traces.Settings{traces.SettingBuffer: "20", traces.SettingResolution: "1"}
	b.Timelines[0].Settings = traces.Settings{traces.SettingBuffer: "2", traces.SettingResolution: "1000000", traces.SettingLedger: "x"}
	b.Timelines[0].Orderer = "orderer"
	same := traces.Note{Stream: 0, Kind: traces.NoteFact, Text: "the same"}
	dropped := traces.Note{Stream: 0, Kind: traces.NoteDropped, Text: "3"}
	a.Notes, b.Notes = []traces.Note{same, dropped}, []traces.Note{same, dropped}
	b.Loss = &traces.Loss{Bytes: 7}
	series := traces.Series{Name: "x"}
	a.Samples = []traces.SampleColumn{{Series: series, At: []event.Time{10e9, 20e9}, Value: []float64{1, 2}}}
	b.Samples = []traces.SampleColumn{
		{Series: series, At: []event.Time{5e9, 12e9, 30e9}, Value: []float64{3, 4, 5}},
		{Series: traces.Series{Name: "y"}, At: []event.Time{1e9}, Value: []float64{6}},
	}
	got, err := join(t, Config{}, a, b)
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(got.Streams[0]); s != "{ch1 orderer peer map[buffer_blocks:20 ledger:x time_resolution_ns:1000000]}" || s != fmt.Sprint(got.Timelines[0].Stream) {
		t.Errorf("stream %v, timeline's %v", s, got.Timelines[0].Stream)
	}
	var texts []string
	for _, n := range got.Notes {
		texts = append(texts, n.Text)
	}
	all := strings.Join(texts, "\n")
	for text, n := range map[string]int{"the same\n": 1, "3\n": 2, "buffer_blocks is 2 in trace1 and 20 in an earlier trace, which is kept": 1, "trace1 was cut short": 1, "the last 7 bytes are not readable": 1} {
		if strings.Count(all, text) != n {
			t.Errorf("%q not %d times in: %s", text, n, all)
		}
	}
	// a's samples moved by a second: its trace began later.
	if s := fmt.Sprint(got.Samples[0].At, got.Samples[0].Value, got.Samples[1].At); s != "[5s 11s 21s 30s] [3 1 2 5] [1s]" &&
		s != "[5000000000 11000000000 21000000000 30000000000] [3 1 2 5] [1000000000]" {
		t.Errorf("samples %s", s)
	}
}

// A trace of the wire has commits, which its recorder sees 3 ms after the peer; a trace of
// the logs has pops and commits. A block's times at the peer come from one of them.
func TestOneSourceForANode(t *testing.T) {
	wire := trace(noon, event.Offered, 0, 12, 0)
	logs := trace(noon.Add(time.Second), event.Offered, 0, 12, time.Millisecond)
	set := func(tr *traces.Trace, k event.Kind, blocks int, late time.Duration) {
		copy(tr.Timelines[0].MakeColumn(k), trace(tr.Base, k, 0, blocks, late).Timelines[0].Column(k))
	}
	set(wire, event.Committed, 12, 4500*time.Microsecond)
	set(logs, event.Dequeued, 10, time.Millisecond)
	set(logs, event.Committed, 10, 1500*time.Microsecond)
	for name, all := range map[string][]*traces.Trace{"wire first": {wire, logs}, "logs first": {logs, wire}} {
		got, err := join(t, Config{}, all...)
		if err != nil {
			t.Fatal(err)
		}
		_, pops := column(got, event.Dequeued)
		_, commits := column(got, event.Committed)
		for i := range commits {
			want := int64(time.Duration(i)*time.Millisecond + 1500*time.Microsecond)
			if i >= 10 { // in wire alone
				want += int64(3 * time.Millisecond)
			}
			if commits[i] != want || i < 9 && pops[i+1] < commits[i] {
				t.Errorf("%s: block %d was committed at %v, want %v; the next pop is at %v", name, i, time.Duration(commits[i]), time.Duration(want), time.Duration(pops[i+1]))
			}
		}
		_, offers := column(got, event.Offered)
		if want := map[*traces.Trace]time.Duration{wire: 0, logs: time.Millisecond}[all[0]]; time.Duration(offers[0]) != want {
			t.Errorf("%s: offered at %v, want %v, the time of the first", name, time.Duration(offers[0]), want)
		}
		noted := slices.ContainsFunc(got.Notes, func(n traces.Note) bool {
			return n.Stream == 0 && strings.Contains(n.Text, "trace1 has more times at the peer than the traces before it: those of 10 blocks are from trace1")
		})
		if noted != (name == "wire first") {
			t.Errorf("%s: notes %v", name, got.Notes)
		}
	}
}

// The times of one recorder, which have one beginning, complete each other.
func TestOneRecorderCompletesTimes(t *testing.T) {
	pops, commits := trace(noon, event.Dequeued, 0, 10, 0), trace(noon, event.Committed, 0, 10, 0)
	got, err := join(t, Config{}, pops, commits)
	if err != nil || got.Timelines[0].Observed(event.Dequeued) != 10 || got.Timelines[0].Observed(event.Committed) != 10 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestWrite joins times with payloads of the same recording.
func TestWrite(t *testing.T) {
	payloads := func(blocks ...event.BlockNum) iter.Seq2[traces.Payload, error] {
		return func(yield func(traces.Payload, error) bool) {
			for _, n := range blocks {
				if !yield(traces.Payload{Channel: "ch1", Block: n, Bytes: fmt.Appendf(nil, "block %d", n)}, nil) {
					return
				}
			}
		}
	}
	times := trace(noon, event.Offered, 0, 10, 0)
	empty := trace(noon, event.Offered, 0, 0, 0)
	var out bytes.Buffer
	if _, err := Write(&out, []Input{{"a", times, payloads(1, 2)}, {"b", empty, payloads(2, 3)}}, Config{}); err != nil {
		t.Fatal(err)
	}
	report, err := traces.Verify(bytes.NewReader(out.Bytes()))
	if err != nil || report.Loss != nil || report.Payloads != 3 {
		t.Errorf("%+v, %v", report, err)
	}
	tr, err := traces.Read(&out)
	if err != nil || !slices.Equal(tr.Timelines[0].Column(event.Offered), times.Timelines[0].Column(event.Offered)) {
		t.Errorf("%v", err)
	}
}

// TestCutShort: a file that is cut in the middle of its payloads has all times, samples and
// notes.
func TestCutShort(t *testing.T) {
	const blocks, size = 40, 100_000
	tr := trace(noon, event.Committed, 0, blocks, 0)
	tr.Notes = []traces.Note{{Stream: 0, Kind: traces.NoteFact, Text: "it was so"}}
	tr.Samples = []traces.SampleColumn{{Series: traces.Series{Name: "depth", Node: "peer"}, At: []event.Time{1, 2}, Value: []float64{3, 4}}}
	random := rand.NewChaCha8([32]byte{1})
	var payloads []traces.Payload
	for n := range blocks {
		b := make([]byte, size) // of which nothing can be packed
		random.Read(b)
		payloads = append(payloads, traces.Payload{Channel: "ch1", Block: event.BlockNum(n), Bytes: b})
	}
	all := func(yield func(traces.Payload, error) bool) {
		for _, p := range payloads {
			if !yield(p, nil) {
				return
			}
		}
	}
	var file bytes.Buffer
	if _, err := Write(&file, []Input{{Name: "a", Trace: tr, Payloads: all}}, Config{}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []int{10, 50, 90} {
		got, err := traces.Read(bytes.NewReader(file.Bytes()[:file.Len()*part/100]))
		if err != nil || got.Loss == nil {
			t.Fatalf("%d %% of the file: %v", part, err)
		}
		if n := got.Timelines[0].Observed(event.Committed); n != blocks || len(got.Notes) != 1 || len(got.Samples) != 1 {
			t.Errorf("%d %% of the file: %d commits of %d, notes %v, samples %v", part, n, blocks, got.Notes, got.Samples)
		}
	}
}
