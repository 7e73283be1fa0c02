package network

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// The payloads of a run are the blocks that went over the wire, or their headers.
func TestPayloads(t *testing.T) {
	for _, headers := range []bool{false, true} {
		c := small()
		n := opened(t, c)
		if err := n.Prepare(within(t)); err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		ctx, cancel := context.WithCancel(within(t))
		ended := make(chan error, 1)
		rec, err := recorder.New(&file, n.Header("test"), recorder.Config{QueuePayloadBytes: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- n.Payloads(ctx, headers, rec.PayloadWait) }()
		if _, err := n.Run(within(t), rec); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := errors.Join(<-ended, rec.Close()); err != nil {
			t.Fatal(err)
		}
		r, err := traces.NewReader(&file, traces.ReaderConfig{})
		if err != nil {
			t.Fatal(err)
		}
		next := map[string]event.BlockNum{"ch1": firstBlock, "ch2": firstBlock}
		for p, err := range r.Payloads() {
			if err != nil {
				t.Fatal(err)
			}
			if p.Block != next[p.Channel] {
				t.Fatalf("%s: block %d came where %d should", p.Channel, p.Block, next[p.Channel])
			}
			next[p.Channel]++
			channel := 0
			if p.Channel == "ch2" {
				channel = 1
			}
			want, err := n.Block(within(t), channel, p.Block)
			if err != nil {
				t.Fatal(err)
			}
			if headers {
				b, err := fabric.ParseBlock(want)
				if err != nil {
					t.Fatal(err)
				}
				want = b.WithoutData()
			}
			if !bytes.Equal(p.Bytes, want) {
				t.Fatalf("%s: block %d has other bytes", p.Channel, p.Block)
			}
		}
		for channel, end := range next {
			if end != firstBlock+event.BlockNum(c.Blocks) {
				t.Errorf("%s: payloads up to %d of %d", channel, end-1, c.Blocks)
			}
		}
	}
}

var errFull = errors.New("no space left")

// narrow is a disk with little room.
type narrow struct{ left int }

func (w *narrow) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// A full disk ends the recording and not the run.
func TestPayloadsOnAFullDisk(t *testing.T) {
	c := small()
	c.Rate, c.Blocks, c.Bytes, c.Reused = 5000, 1000, 20_000, true
	n := opened(t, c)
	if err := n.Prepare(within(t)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	rec, err := recorder.New(&narrow{10_000}, n.Header("test"), recorder.Config{QueuePayloadBytes: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- n.Payloads(ctx, false, rec.PayloadWait) }()
	s, err := n.Run(within(t), rec)
	if err != nil || s.Streams[3].Committed != c.Blocks {
		t.Errorf("%+v, %v", s.Streams, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := rec.Close(); !errors.Is(err, errFull) || rec.DroppedPayloads() == 0 {
		t.Errorf("error %v, want %v; %d payloads dropped", err, errFull, rec.DroppedPayloads())
	}
}
