package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run is a channel of a trace: blocks and when they were offered.
type run struct {
	channel string
	blocks  [][]byte
	// offered has an entry for each block. Nil: all at 0.
	offered []event.Time
}

func number(t testing.TB, raw []byte) event.BlockNum {
	t.Helper()
	b, err := fabric.ParseBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	return event.BlockNum(b.Number)
}

// trace writes runs to a trace file and gives it back with its payloads.
func trace(t testing.TB, runs ...run) (*traces.Trace, iter.Seq2[traces.Payload, error]) {
	t.Helper()
	var h traces.Header
	for _, r := range runs {
		h.Streams = append(h.Streams, traces.Stream{Channel: r.channel, Peer: "peer0"})
	}
	var file bytes.Buffer
	w, err := traces.NewWriter(&file, h, traces.WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for stream, r := range runs {
		for i, raw := range r.blocks {
			n, at := number(t, raw), int64(0)
			if r.offered != nil {
				at = int64(r.offered[i])
			}
			if at != event.Missing {
				err = w.Append(event.Event{Stream: stream, Kind: event.Offered, Block: n, Value: at})
			}
			if err = errors.Join(err, w.Payload(r.channel, n, raw)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tr, err := traces.Read(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := traces.NewReader(&file, traces.ReaderConfig{SkipData: true})
	if err != nil {
		t.Fatal(err)
	}
	return tr, r.Payloads()
}

func newServer(t testing.TB, cfg Config, runs ...run) *Server {
	t.Helper()
	tr, payloads := trace(t, runs...)
	cfg.Dir = t.TempDir()
	s, err := New(tr, payloads, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// node is a server at work on loopback, with an organization whose user reads.
type node struct {
	*Server
	org     *fabrictest.Org
	address string
}

func start(t testing.TB, mutual bool, cfg Config, runs ...run) *node {
	t.Helper()
	n := &node{org: fabrictest.NewOrg(t)}
	if mutual {
		cfg.TLS = n.org.ServerTLS(t, true, pki.Request{})
	}
	n.Server = newServer(t, cfg, runs...)
	n.serve(t)
	return n
}

// serve serves until the test's end, or until the function that it returns is called.
func (n *node) serve(t testing.TB) (stop func()) {
	t.Helper()
	l, err := Listen("127.0.0.1:0", n.cfg.TLS != nil)
	if err != nil {
		t.Fatal(err)
	}
	n.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (n *node) open(t testing.TB, seek deliver.Seek) *deliver.Stream {
	t.Helper()
	return fabrictest.Open(t, n.org.Endpoint(t, n.address, n.cfg.TLS), deliver.Orderer, n.org, seek)
}

// read reads exactly these blocks.
func read(stream *deliver.Stream, blocks [][]byte) error {
	for i, want := range blocks {
		d, err := stream.Recv()
		if err != nil {
			return err
		}
		if !bytes.Equal(d.Block.Raw, want) {
			return fmt.Errorf("block %d, which came as number %d of the stream, is not the trace's", d.Number(), i)
		}
	}
	return nil
}

// readAll reads these blocks and the stream's end.
func readAll(stream *deliver.Stream, blocks [][]byte) error {
	if err := read(stream, blocks); err != nil {
		return err
	}
	if d, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("block %d, %w behind the last that was asked for", d.Number(), err)
	}
	return nil
}
