package traces

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

func TestTextRoundTrip(t *testing.T) {
	for seed := range uint64(20) {
		want := randomTrace(seed, 300)
		var text bytes.Buffer
		if err := WriteText(&text, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadText(bytes.NewReader(text.Bytes()))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if d := diff(want, got); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
		if !bytes.Equal(encode(t, want), encode(t, got)) {
			t.Fatalf("seed %d: the files differ", seed)
		}
	}
}

func TestTextForm(t *testing.T) {
	tr := smallTrace()
	var text strings.Builder
	if err := WriteText(&text, tr); err != nil {
		t.Fatal(err)
	}
	want := `{"reel":1,"base_unix_ns":1763805400000000000,"base":"2025-11-22T09:56:40Z","tool":"blockreel 0.1","source":"logs","streams":[{"channel":"ch1","orderer":"o1","peer":"p1","settings":{"buffer_blocks":"20"}}]}
{"note":"fact","stream":0,"text":"clock skew < 1 ms"}
{"note":"warning","text":"no sizes"}
{"stream":0,"block":4,"offered_ns":0,"dequeued_ns":1000000,"committed_ns":4000000,"transactions":10}
{"stream":0,"block":5,"offered_ns":2000000,"committed_ns":8000000,"transactions":10}
{"stream":0,"block":6,"offered_ns":5000000,"dequeued_ns":8000000,"committed_ns":11000000,"transactions":10}
{"series":"gossip_payload_buffer_size","unit":"blocks","node":"p1","channel":"ch1","at_ns":1000000,"value":0}
{"series":"gossip_payload_buffer_size","unit":"blocks","node":"p1","channel":"ch1","at_ns":6000000,"value":1}
{"series":"gossip_payload_buffer_size","unit":"blocks","node":"p1","channel":"ch1","at_ns":11000000,"value":0}
{"series":"cpu","node":"p1","at_ns":1000000,"value":0.5}
{"series":"cpu","node":"p1","at_ns":6000000,"value":0.5}
{"series":"cpu","node":"p1","at_ns":11000000,"value":2}
`
	if text.String() != want {
		t.Fatalf("got\n%s\nwant\n%s", text.String(), want)
	}
}

func TestHostileText(t *testing.T) {
	head := `{"reel":1,"streams":[{"channel":"c"}]}` + "\n"
	for in, want := range map[string]string{
		"":                               "empty",
		"hello\n":                        "text that begins with",
		`{"a":1}`:                        "not a header",
		`{"reel":2,"streams":[]}`:        "format 2",
		head + "x":                       "line 2",
		head + "\n":                      "line 2",
		head + "{}":                      "neither",
		head + `{"stream":1,"block":0}`:  "stream 1 of 1",
		head + `{"stream":-1,"block":0}`: "stream -1 of 1",
		head + `{"stream":0,"block":-1}`: "line 2",
		head + `{"stream":0,"block":0,"commited_ns":1}`:                                                   "unknown field",
		head + `{"stream":0,"block":0,"committed_ns":1e3}`:                                                "line 2",
		head + `{"stream":0,"block":0,"committed_ns":-9223372036854775808}`:                               "over the limit",
		head + `{"series":"s","at_ns":0}`:                                                                 "neither",
		head + `{"series":"","at_ns":0,"value":1}`:                                                        "no name",
		head + `{"series":"s","at_ns":0,"value":1e400}`:                                                   "line 2",
		head + `{"series":"s","at_ns":1e30,"value":1}`:                                                    "line 2",
		head + `{"series":"s","at_ns":` + "1152921504606846977" + `,"value":1}`:                           "over the limit",
		head + `{"stream":0,"block":0}{}`:                                                                 "more than one",
		head + `{"stream":0,"block":18446744073709551615}`:                                                "block number",
		head + `{"stream":0,"block":0,"bytes":1}` + "\n" + `{"stream":0,"block":1099511627776,"bytes":1}`: "blocks from first to last",
		head + `{"stream":0,"block":0,"bytes":1}` + "\n" + `{"stream":0,"block":50000000,"bytes":1}`:      "too far apart",
		head + `{"note":"fact","stream":7,"text":""}`:                                                     "note on stream 7",
		`{"reel":1,"streams":[` + strings.Repeat(`{},`, MaxStreams) + `{}]}`:                              "streams",
	} {
		_, err := ReadText(strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v", in, err)
		}
		var line *TextError
		if !errors.As(err, &line) {
			t.Errorf("%.80q: %T", in, err)
		}
	}
}

// smallTrace is the worked example of FORMAT.md.
func smallTrace() *Trace {
	s := Stream{Channel: "ch1", Orderer: "o1", Peer: "p1", Settings: Settings{SettingBuffer: "20"}}
	tl := NewTimeline(s, 4, 3)
	const ms = 1_000_000
	copy(tl.MakeColumn(event.Offered), []int64{0, 2 * ms, 5 * ms})
	copy(tl.MakeColumn(event.Dequeued), []int64{1 * ms, event.Missing, 8 * ms})
	copy(tl.MakeColumn(event.Committed), []int64{4 * ms, 8 * ms, 11 * ms})
	copy(tl.MakeColumn(event.Transactions), []int64{10, 10, 10})
	scraped := []event.Time{1 * ms, 6 * ms, 11 * ms}
	return &Trace{
		Samples: []SampleColumn{
			{Series{SeriesBufferSize, UnitBlocks, "p1", "ch1"}, scraped, []float64{0, 1, 0}},
			{Series{Name: "cpu", Node: "p1"}, scraped, []float64{0.5, 0.5, 2}},
		},
		Header:    Header{Base: exampleBase, Tool: "blockreel 0.1", Source: "logs", Streams: []Stream{s}},
		Timelines: []*Timeline{tl},
		Notes:     []Note{{0, NoteFact, "clock skew < 1 ms"}, {-1, NoteWarning, "no sizes"}},
	}
}
