package fabriclog

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"unicode/utf8"
)

// A reader takes one log, line by line, into the tables of its node.
type reader struct {
	service *service // where an orderer's messages go
	// node returns the peer whose log this is, if it is a peer's: the one that
	// docker compose names before the line, or else that of the file.
	node   func(container string) *peer
	report *FileReport
	stamps stamps

	peer      *peer   // of the last line of a peer, and
	container string  // its container
	peers     []*peer // all of the file
	last      int64   // stamp of the last message
	banner    *banner // that the next entry lines belong to
	entry     int     // lines of a banner that may still follow
	damaged   bool    // the chunk at hand holds NUL bytes
	kind      nature
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

// of returns the peer whose line this is.
func (r *reader) of(line []byte) *peer {
	name := container(line)
	if r.peer == nil || string(name) != r.container {
		r.container = string(name)
		r.peer = r.node(r.container)
		if !slices.Contains(r.peers, r.peer) {
			r.peers = append(r.peers, r.peer)
		}
	}
	return r.peer
}

// container returns the name in docker compose's "NAME  | " before a line.
func container(line []byte) []byte {
	bar := bytes.IndexByte(line[:min(len(line), 64)], '|')
	if bar < 2 || line[bar-1] != ' ' {
		return nil
	}
	name := bytes.TrimRight(line[:bar], " ")
	for _, c := range name {
		if c <= ' ' || c > '~' || c == '"' || c == '[' {
			return nil
		}
	}
	return name
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
		case f.torn, f.doubtful && !r.known(line, &m):
			r.report.Torn++
		default:
			seen = true
			r.message(line, f, &m)
		}
	}
	if !seen {
		r.other(line)
	}
	if r.damaged && bytes.IndexByte(line, 0) >= 0 || !seen && !utf8.Valid(line) {
		r.report.Garbage++
	}
}

// known reports whether the channel of m has been seen before.
func (r *reader) known(line []byte, m *sighting) bool {
	if m.msg.fromOrderer() {
		return r.service.channels[string(m.channel)] != nil
	}
	return r.of(line).channels[string(m.channel)] != nil
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
		repeated = r.of(line).take(m)
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
		r.report.Starts++
		r.of(line).restart()
		r.starts(line, &r.peer.banner)
	case bytes.Contains(line, []byte("Starting orderer:")):
		r.report.Starts++
		r.starts(line, &r.service.banner)
	case bytes.Contains(line, []byte("Peer config with combined")):
		r.of(line).banner.configured = true
		r.starts(line, &r.peer.banner)
	case bytes.Contains(line, []byte("Recommitting lost")):
		r.report.Recommits++
	case bytes.Contains(line, []byte("Disconnected from ordering service")):
		r.report.Disconnects++
	}
}

// starts begins a banner: what follows in the same line, escaped, or in the next.
func (r *reader) starts(line []byte, b *banner) {
	r.banner = b
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
	if !n.dated {
		_, n.dated = new(stamps).first(line)
	}
	n.fabric = n.dated && bytes.Contains(line, []byte(" -> ")) && bytes.IndexByte(line, '[') >= 0 ||
		n.json && n.message && bytes.Contains(line, []byte(`"caller"`))
}
