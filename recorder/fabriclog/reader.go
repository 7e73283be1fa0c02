package fabriclog

import (
	"bytes"
	"context"
	"fmt"
	"unicode/utf8"
)

// A reader takes one log, line by line, into the tables of its node.
type reader struct {
	service *service     // where an orderer's messages go
	node    func() *peer // whose log this is, if it is a peer's
	report  *FileReport
	stamps  stamps
	banner  banner

	peer    *peer // of node, once a peer's line has been seen
	last    int64 // stamp of the last message
	entry   int   // lines of a banner that may still follow
	damaged bool  // the chunk at hand holds NUL bytes
	kind    nature
}

// nature is what a log looks like as long as no message was found in it.
type nature struct {
	fabric  bool // has lines in one of Fabric's layouts
	json    bool
	message bool // a JSON line has a message
	dated   bool
	text    bool // some line is not empty
}

func (r *reader) read(ctx context.Context, f *logFile) error {
	s := newScanner(f.text)
	err := s.scan(func(chunk []byte) bool {
		r.damaged = bytes.IndexByte(chunk, 0) >= 0
		return ctx.Err() == nil
	}, r.line)
	r.report.Bytes, r.report.Lines, r.report.LongLines = s.bytes, s.lines, s.long
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && f.raw.err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	r.report.Damage = err
	return nil
}

// ofPeer returns the peer whose log this is.
func (r *reader) ofPeer() *peer {
	if r.peer == nil {
		r.peer = r.node()
	}
	return r.peer
}

// line takes one line. A line can hold two messages when the end of the first was
// lost, and each counts.
func (r *reader) line(line []byte, whole bool) {
	var m sighting
	seen := false
	for pos := 0; ; {
		i := bytes.Index(line[pos:], needle)
		if i < 0 {
			break
		}
		i += pos
		pos = i + len(needle)
		f, ok := match(line, i, whole, &m)
		switch {
		case !ok:
		case f.torn:
			r.report.Torn++
		default:
			seen = true
			r.message(line, f, &m)
		}
	}
	if !seen {
		r.other(line)
	}
	if r.damaged && bytes.IndexByte(line, 0) >= 0 {
		r.report.Garbage++
	}
}

func (r *reader) message(line []byte, f found, m *sighting) {
	st, ok := r.stamps.find(line, f.start)
	if !ok {
		r.report.Undated++
		return
	}
	m.at = st.ns
	if r.report.Messages++; r.report.Messages == 1 {
		r.report.Start, r.report.End = m.at, m.at
	} else if m.at < r.last {
		r.report.OutOfOrder++
	}
	r.last = m.at
	r.report.Start, r.report.End = min(r.report.Start, m.at), max(r.report.End, m.at)
	r.entry = 0
	repeated := false
	if m.msg.fromOrderer() {
		r.report.OrdererMessages++
		repeated = r.service.take(m)
	} else {
		r.report.PeerMessages++
		repeated = r.ofPeer().take(m)
	}
	if repeated {
		r.report.Repeated++
	}
}

// other takes a line without a message about a block: banners, restarts, garbage.
func (r *reader) other(line []byte) {
	if !r.kind.fabric {
		r.kind.look(line)
	}
	if !r.damaged && !utf8.Valid(line) {
		r.report.Garbage++
	}
	if r.entry > 0 {
		r.entry--
		r.banner.field(unwrap(line))
	}
	i := bytes.Index(line, []byte("ing "))
	if i < 0 && !bytes.Contains(line, []byte("config")) && !bytes.Contains(line, []byte("Disconnected")) {
		return
	}
	switch {
	case bytes.Contains(line, []byte("Starting peer:")):
		r.starts(line)
		r.report.Starts++
		r.ofPeer().restart()
	case bytes.Contains(line, []byte("Starting orderer:")):
		r.report.Starts++
		r.starts(line)
	case bytes.Contains(line, []byte("Peer config with combined")):
		r.banner.configured = true
		r.starts(line)
	case bytes.Contains(line, []byte("Recommitting lost")):
		r.report.Recommits++
	case bytes.Contains(line, []byte("Disconnected from ordering service")):
		r.report.Disconnects++
	}
}

// starts begins a banner: what follows in the same line, escaped, or in the next.
func (r *reader) starts(line []byte) {
	r.kind.fabric = true
	r.entry = bannerLines
	line = unwrap(line)
	if bytes.Contains(line, []byte(`\n`)) {
		for l := range bytes.SplitSeq(unescape(line), []byte{'\n'}) {
			r.banner.field(l)
		}
	}
}

func (n *nature) look(line []byte) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return
	}
	n.text = true
	if line[0] == '{' {
		n.json = true
	}
	if bytes.Contains(line, []byte("msg")) {
		n.message = true
	}
	if n.dated || func() bool { s := stamps{}; _, ok := s.find(line, len(line)); return ok }() {
		n.dated = true
	}
	n.fabric = n.dated && bytes.Contains(line, []byte(" -> ")) && bytes.IndexByte(line, '[') >= 0 ||
		n.json && n.message && bytes.Contains(line, []byte(`"caller"`))
}
