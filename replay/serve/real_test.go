package serve

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blockfile"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/recorder/attach"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// dump is a file of blocks behind their lengths.
func dump(blocks [][]byte) attach.Source {
	var b []byte
	for _, raw := range blocks {
		b = append(binary.AppendUvarint(b, uint64(len(raw))), raw...)
	}
	return attach.Source{Path: "dump", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}

// contents reads a file of blocks.
func contents(t *testing.T, s attach.Source) (blocks [][]byte) {
	t.Helper()
	in, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r, err := blockfile.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return blocks
		}
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, bytes.Clone(b.Raw))
	}
}

// What stands in a file of blocks comes out of the wire, byte by byte and as one chain: by
// way of attach, a trace file, and a server that a peer with nothing but genesis reads.
func TestFromFileToWire(t *testing.T) {
	shared := filepath.Join("..", "..", "..", "shared", "data")
	for name, source := range map[string]func(*testing.T) attach.Source{
		"minted":                        func(t *testing.T) attach.Source { return dump(fabrictest.NewOrg(t).Chain(t, "ch1", 50, 20_000)) },
		"sample":                        func(t *testing.T) attach.Source { return dump(sampleRun(t, "ch1", 0).blocks) },
		"mvcc-blockfiles/peer":          sharedFile(shared, "fabric-2.5-mvcc-blockfiles", "peer-blockfile_000000.zst"),
		"mvcc-blockfiles/orderer":       sharedFile(shared, "fabric-2.5-mvcc-blockfiles", "orderer-blockfile_000000.zst"),
		"mvcc-debug, a dump":            sharedFile(shared, "fabric-2.5-mvcc-debug", "ch1.blocks.zst"),
		"burst-n20-info, a larger dump": sharedFile(shared, "fabric-2.5-burst-n20-info", "ch1.blocks.zst"),
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "burst-n20-info, a larger dump" {
				t.Skip("79 MB of blocks")
			}
			roundTrip(t, source(t))
		})
	}
}

func sharedFile(shared, run, file string) func(*testing.T) attach.Source {
	return func(t *testing.T) attach.Source {
		path := filepath.Join(shared, run, file)
		if _, err := os.Stat(path); err != nil {
			t.Skipf("the real run %s is not here", run)
		}
		return attach.File(path)
	}
}

func roundTrip(t *testing.T, source attach.Source) {
	const early = 4 // what the recording did not see
	want := contents(t, source)
	tr := &traces.Trace{Header: traces.Header{Source: "test", Streams: []traces.Stream{{Channel: "ch1", Peer: "peer0"}}}}
	tl := traces.NewTimeline(tr.Streams[0], early, len(want)-early)
	for i := range tl.MakeColumn(event.Offered) {
		tl.MakeColumn(event.Offered)[i] = int64(i)
	}
	tr.Timelines = []*traces.Timeline{tl}
	var file bytes.Buffer
	if _, err := attach.Write(t.Context(), &file, tr, attach.Config{Files: []attach.Source{source}}); err != nil {
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
	s, err := New(tr, r.Payloads(), Config{Unpaced: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Warnings()) > 0 || s.Status()[0].Recorded != early {
		t.Errorf("warnings %q, status %+v", s.Warnings(), s.Status())
	}
	n := &node{Server: s, org: fabrictest.NewOrg(t)}
	defer n.serve(t)()
	stream := n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(0), Stop: deliver.At(uint64(len(want) - 1))})
	var chain fabric.Chain
	for i := range want {
		d, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if err := chain.Next(&d.Block); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(d.Block.Raw, want[i]) {
			t.Fatalf("block %d differs", i)
		}
	}
}
