package traces

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

func collect(t *testing.T, seq iter.Seq2[Payload, error]) (out []Payload) {
	t.Helper()
	for p, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		p.Bytes = bytes.Clone(p.Bytes)
		out = append(out, p)
	}
	return out
}

// TestPayloads writes the payloads of two channels, each block by every stream that
// carries it, and reads them back once, from the file and from its text form.
func TestPayloads(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	h := Header{Streams: []Stream{{Channel: "ch1", Peer: "a"}, {Channel: "ch1", Peer: "b"}, {Channel: "ch2"}}}
	var b bytes.Buffer
	w, err := NewWriter(&b, h, WriterConfig{PayloadChunkBytes: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	var want []Payload
	for n := range 100 {
		for _, ch := range []string{"ch1", "ch2"} {
			data := make([]byte, r.IntN(2000))
			if n == 50 {
				data = make([]byte, 3<<20)
			}
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			p := Payload{ch, event.BlockNum(7 * n / 5), data}
			if n%7 != 0 || n == 0 || want[len(want)-2].Block != p.Block {
				if !slices.ContainsFunc(want, func(q Payload) bool { return q.Channel == ch && q.Block == p.Block }) {
					want = append(want, p)
				}
			}
			for range 2 { // both peers
				if err := w.Payload(ch, p.Block, p.Bytes); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Append(event.Event{Stream: 2, Block: p.Block, Value: int64(n)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Payload("ch3", 0, nil); err == nil || !strings.Contains(err.Error(), `"ch3"`) {
		t.Errorf("payload of a channel that is not there: %v", err)
	}
	if err := w.Payload("ch1", 1<<20, make([]byte, MaxPayloadBytes+1)); err == nil {
		t.Error("payload over the limit was taken")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	tr, err := NewReader(bytes.NewReader(file), ReaderConfig{SkipData: true})
	if err != nil {
		t.Fatal(err)
	}
	got := collect(t, tr.Payloads())
	if len(got) != len(want) {
		t.Fatalf("%d payloads of %d", len(got), len(want))
	}
	byBlock := func(a, b Payload) int {
		if c := strings.Compare(a.Channel, b.Channel); c != 0 {
			return c
		}
		return int(a.Block) - int(b.Block)
	}
	slices.SortFunc(got, byBlock)
	slices.SortFunc(want, byBlock)
	for i := range want {
		if got[i].Channel != want[i].Channel || got[i].Block != want[i].Block || !bytes.Equal(got[i].Bytes, want[i].Bytes) {
			t.Fatalf("payload %d differs", i)
		}
	}
	rep, err := Verify(bytes.NewReader(file))
	if err != nil || rep.Payloads != len(want) {
		t.Fatalf("%+v, %v", rep, err)
	}
	without, err := Read(bytes.NewReader(file))
	if err != nil || without.Loss != nil || without.Events() == 0 {
		t.Fatalf("times are not read: %v", err)
	}

	var text bytes.Buffer
	if err := WriteText(&text, without); err != nil {
		t.Fatal(err)
	}
	seq := func(yield func(Payload, error) bool) {
		for _, p := range want {
			if !yield(p, nil) {
				return
			}
		}
	}
	if err := WriteTextPayloads(&text, seq); err != nil {
		t.Fatal(err)
	}
	again, err := ReadText(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(without, again); d != "" {
		t.Fatal(d)
	}
	if got := collect(t, ReadTextPayloads(bytes.NewReader(text.Bytes()))); !reflect.DeepEqual(got, want) {
		t.Fatal("payloads of the text form differ")
	}
}

func TestBlockSet(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 9))
		var s blockSet
		seen := map[uint64]bool{}
		for range 200 {
			n := r.Uint64N(100)
			if s.add(n) == seen[n] {
				t.Fatalf("seed %d: add(%d) was wrong", seed, n)
			}
			seen[n] = true
		}
		for i, x := range s {
			if x.from >= x.to || i > 0 && s[i-1].to >= x.from {
				t.Fatalf("seed %d: ranges %v", seed, s)
			}
		}
	}
}
