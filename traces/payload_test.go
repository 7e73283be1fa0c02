package traces

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"reflect"
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

var payloadStreams = []Stream{{Channel: "ch1", Peer: "a"}, {Channel: "ch1", Peer: "b"}, {Channel: "ch2"}}

// payloadFile writes the payloads of two channels, each twice as by two peers, with
// values between them, and returns what was written once.
func payloadFile(t *testing.T) (file []byte, want []Payload) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{Streams: payloadStreams}, WriterConfig{PayloadChunkBytes: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		for _, ch := range []string{"ch1", "ch2"} {
			data := make([]byte, r.IntN(2000))
			if n == 50 {
				data = make([]byte, 3<<20)
			}
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			p := Payload{ch, event.BlockNum(n + n/10), data}
			want = append(want, p)
			for range 2 {
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
	return b.Bytes(), want
}

func TestPayloads(t *testing.T) {
	file, want := payloadFile(t)
	tr, err := NewReader(bytes.NewReader(file), ReaderConfig{SkipData: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := collect(t, tr.Payloads()); !reflect.DeepEqual(got, want) {
		t.Fatalf("%d payloads differ from the %d written", len(got), len(want))
	}
	rep, err := Verify(bytes.NewReader(file))
	if err != nil || rep.Payloads != len(want) || len(rep.Findings) != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	without, err := Read(bytes.NewReader(file))
	if err != nil || without.Loss != nil || without.Events() != 100 {
		t.Fatalf("values are not read: %v", err)
	}
}

func TestPayloadsOfText(t *testing.T) {
	file, want := payloadFile(t)
	tr, err := Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(file), ReaderConfig{SkipData: true})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := WriteText(&text, tr); err != nil {
		t.Fatal(err)
	}
	if err := WriteTextPayloads(&text, r.Payloads()); err != nil {
		t.Fatal(err)
	}
	again, err := ReadText(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(tr, again); d != "" {
		t.Fatal(d)
	}
	if got := collect(t, ReadTextPayloads(bytes.NewReader(text.Bytes()))); !reflect.DeepEqual(got, want) {
		t.Fatalf("%d payloads differ from the %d written", len(got), len(want))
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
