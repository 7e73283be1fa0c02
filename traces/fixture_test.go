package traces

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/golden"
	"github.com/blockreel/blockreel/traces/event"
)

//go:generate go test -run "^(TestFixture|TestFormatExample)$" -rewrite .

var exampleBase = time.Unix(1_763_805_400, 0).UTC()

// writeFixture writes a trace that uses all of the format: two streams of a channel
// and one of another, every kind, holes, a timeline in one piece, events one by one,
// samples, notes, payloads, and a setting that no version knows.
func writeFixture(b *bytes.Buffer) error {
	r := rand.New(rand.NewPCG(1, 1))
	h := Header{Base: exampleBase, Tool: "blockreel fixture", Source: "run", Streams: []Stream{
		{Channel: "ch1", Orderer: "orderer.example.com:7050", Peer: "peer0.org1", Settings: Settings{SettingBuffer: "20", "setting_of_nobody": "é"}},
		{Channel: "ch1", Orderer: "orderer.example.com:7050", Peer: "peer0.org2"},
		{Channel: "ch2"},
	}}
	w, err := NewWriter(b, h, WriterConfig{ChunkEvents: 150})
	if err != nil {
		return err
	}
	tl := NewTimeline(h.Streams[0], 1, 120)
	for k := range event.NumKinds {
		fillColumn(r, tl, event.Kind(k))
	}
	if err := w.AppendTimeline(0, tl); err != nil {
		return err
	}
	for n := range 100 {
		for k := range event.NumKinds {
			e := event.Event{Stream: 1 + k%2, Kind: event.Kind(k), Block: event.BlockNum(1000 + n - k), Value: int64(n)*5_000_000 + r.Int64N(1_000_000)}
			if r.IntN(10) > 0 {
				if err := w.Append(e); err != nil {
					return err
				}
			}
		}
		if err := w.Payload("ch2", event.BlockNum(1000+n/10), fmt.Appendf(nil, "block %d", 1000+n/10)); err != nil {
			return err
		}
		at := event.Time(n)*500_000_000 + event.Time(r.IntN(1000))
		for i, v := range []float64{float64(n % 42), 2.5e6 + 1/float64(n+1)} {
			s := Series{Name: SeriesBufferSize, Unit: UnitBlocks, Node: "peer0.org1", Channel: "ch1"}
			if i == 1 {
				s = Series{Name: "series_of_nobody", Node: "peer0.org2"}
			}
			if err := w.Sample(s, at, v); err != nil {
				return err
			}
		}
		if n%40 == 0 {
			if err := w.Note(Note{n/40 - 1, "kind_of_nobody", fmt.Sprintf("after %d blocks", n)}); err != nil {
				return err
			}
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return w.Close()
}

// fixtureText returns the text form of a trace file, payloads included.
func fixtureText(t *testing.T, file []byte) []byte {
	t.Helper()
	if _, err := Verify(bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	tr, err := Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := WriteText(&text, tr); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(file), ReaderConfig{SkipData: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteTextPayloads(&text, r.Payloads()); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// TestFixture holds that a file of every released version stays readable. To make the
// file of a new version, add its name here and run go generate.
func TestFixture(t *testing.T) {
	for _, name := range []string{"v1", "v1.1"} {
		reel, text := filepath.Join("testdata", name+".reel"), filepath.Join("testdata", name+".jsonl")
		if _, err := os.Stat(reel); *golden.Rewrite && os.IsNotExist(err) {
			var b bytes.Buffer
			if err := writeFixture(&b); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll("testdata", 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(reel, b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(text, fixtureText(t, b.Bytes()), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		file, err := os.ReadFile(reel)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := fixtureText(t, file); !bytes.Equal(got, want) {
			t.Errorf("%s reads as\n%.2000s", reel, got)
		}
	}
}
