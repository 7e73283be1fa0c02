package fabriclog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Rotated files in any order, compressed or not, are one log; names come from the
// files, from the banner when they say nothing, and are never shared.
func TestRotationAndNames(t *testing.T) {
	var first, second, third script
	third.at(25, "The certificate will expire on 2020-11-19 09:42:00 +0000 UTC")
	first.at(0, "Started peer with ID=[peer0.org1], network ID=[dev]").committed(10, 1)
	second.committed(20, 2)
	third.committed(30, 3).at(40, "Adding payload")
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write([]byte(first.String()))
	w.Close()

	check := func(wantNames string, blocks string, peers ...Source) {
		t.Helper()
		tr, report := read(t, Config{Peers: peers})
		var names, counts []string
		for _, tl := range tr.Timelines {
			names = append(names, tl.Peer)
			counts = append(counts, millis(tl, event.Committed))
		}
		if got := strings.Join(names, ","); got != wantNames {
			t.Errorf("peers %s, want %s", got, wantNames)
		}
		if got := strings.Join(counts, ","); got != blocks {
			t.Errorf("commits %s, want %s", got, blocks)
		}
		for _, f := range report.Files {
			if f.OutOfOrder > 0 {
				t.Errorf("%s was read out of order", f.Path)
			}
		}
	}
	check("peer0.org1", "0 10 20", text("d/peer.log", third.String()), text("d/peer.log.1", second.String()), text("d/peer.log.2.gz", gz.Bytes()))
	check("p0", "0 10 20", text("d/p0.log-20261123", third.String()), text("d/p0.log", second.String()), text("d/p0-2026-11-22T09-56-31.348.log.gz", gz.Bytes()))
	check("a", "0 10 20", Source{Name: "a", Path: "x", Open: text("", third.String()).Open}, Source{Name: "a", Path: "y", Open: text("", second.String()).Open}, Source{Name: "a", Path: "-", Open: text("", gz.Bytes()).Open})
	check("org1/peer,org2/peer", "0,10", text("org1/peer.log", second.String()), text("org2/peer.log", third.String()))
	check("peer-1,peer-2", "0,10", text("peer-1.log", second.String()), text("peer-2.log.gz", third.String()))
	check("peer", "0", text("-", second.String()))
	// Docker compose names every line.
	mixed := prefixed(second.String(), "peer0.org1  | ") + prefixed(third.String(), "peer0.org2  | ")
	check("peer0.org1,peer0.org2", "0,10", text("all.log", mixed))
}

func TestSwappedLogs(t *testing.T) {
	o, p := new(script).writing(10, 1).String(), new(script).committed(15, 1).String()
	tr, _ := read(t, Config{Orderers: []Source{text("peer7.log", p)}, Peers: []Source{text("orderer3.log", o)}})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Offered: "0", event.Committed: "5"})
	if s := tr.Streams[0]; s.Peer != "peer7" || s.Orderer != "orderer3" {
		t.Errorf("stream %+v", s)
	}
	warned(t, tr, traces.NoteWarning, "peer7.log was given as an orderer's log")
	warned(t, tr, traces.NoteWarning, "orderer3.log was given as a peer's log")
}

// An error names the file, what was looked for, and what is there.
func TestForeignLogs(t *testing.T) {
	good := new(script).committed(15, 1).String()
	for name, c := range map[string]struct {
		source Source
		want   string
	}{
		"empty":          {text("x.log", ""), "x.log: the log is empty"},
		"binary":         {text("x.log", "\x7fELF\x00\x01\xff\xfe\n\xff\xff\n"), "binary data"},
		"other program":  {text("x.log", "2026-11-22 09:00:00 nginx started\n"), "log of another program"},
		"prose":          {text("x.log", "hello\nworld\n"), "text without timestamps"},
		"JSON":           {text("x.log", `{"a":1}`+"\n"), "JSON without msg"},
		"no date":        {text("x.log", "09:00:00.123 [kvledger] [ch1] Committed block [4] with 1 transaction(s) in 6ms ()\n"), "none has a date"},
		"quiet peer":     {text("x.log", new(script).at(1, "Starting peer with TLS enabled").String()), "it is a log of Fabric"},
		"what is missed": {text("x.log", "hello\n"), `"Committed block [N]"`},
		"broken gzip":    {text("x.log", "\x1f\x8bxxxx"), "starts like gzip"},
	} {
		_, _, err := Read(context.Background(), Config{Peers: []Source{c.source}})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x.log") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	// A foreign orderer's log is an error beside a good peer's, a quiet one is not.
	_, _, err := Read(context.Background(), Config{Orderers: []Source{text("o.log", "hello\n")}, Peers: []Source{text("p.log", good)}})
	if err == nil || !strings.Contains(err.Error(), "o.log") || !strings.Contains(err.Error(), "Writing block [N]") {
		t.Errorf("foreign orderer: %v", err)
	}
	tr, _ := read(t, Config{Orderers: []Source{text("o.log", new(script).at(1, "Beginning to serve requests").String())}, Peers: []Source{text("p.log", good)}})
	warned(t, tr, traces.NoteWarning, "no orderer's log tells")
	// An empty file beside the one that rotation has moved away is normal.
	read(t, Config{Peers: []Source{text("p.log", ""), text("p.log.1", good)}})

	missing := Source{Path: "gone.log", Open: func() (io.ReadCloser, error) { return os.Open("testdata/gone.log") }}
	if _, _, err := Read(context.Background(), Config{Peers: []Source{missing}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Read(cancelled, Config{Peers: []Source{text("p.log", good)}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
