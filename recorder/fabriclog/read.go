package fabriclog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/traces"
)

// Read reads the logs and returns one stream for every channel and peer in them.
// With an error the Report tells how far reading came.
func Read(ctx context.Context, cfg Config) (*traces.Trace, Report, error) {
	var report Report
	if err := cfg.validate(); err != nil {
		return nil, report, err
	}
	l := &logs{cfg: &cfg, service: newService(), report: &report}
	defer l.shut()
	if err := l.open(); err != nil {
		return nil, report, err
	}
	if err := l.read(ctx); err != nil {
		return nil, report, err
	}
	t, err := l.assemble()
	return t, report, err
}

// logs is everything that one Read knows.
type logs struct {
	cfg     *Config
	files   []*logFile
	service *service
	// orderers are the names of the nodes that have an orderer's messages.
	orderers []string
	peers    []*peer
	report   *Report
	bytes    int64

	stamps   []stampFacts
	warnings []string
	facts    []string
}

// stampFacts is what one file's timestamps say about themselves.
type stampFacts struct {
	stamps
	path string
	// Whose messages they dated.
	peers   []*peer
	orderer bool
}

func (l *logs) open() error {
	for _, set := range []struct {
		sources []Source
		orderer bool
	}{{l.cfg.Orderers, true}, {l.cfg.Peers, false}} {
		for _, s := range set.sources {
			f, err := open(s, set.orderer, &l.bytes, l.cfg)
			if err != nil {
				return err
			}
			l.files = append(l.files, f)
		}
	}
	return nil
}

func (l *logs) shut() {
	for _, f := range l.files {
		f.shut()
	}
}

func (l *logs) read(ctx context.Context) error {
	var orderers, peers []*logFile
	for _, f := range l.files {
		if f.orderer {
			orderers = append(orderers, f)
		} else {
			peers = append(peers, f)
		}
	}
	for _, set := range []struct {
		groups   [][]*logFile
		fallback string
	}{{byNode(orderers), "orderer"}, {byNode(peers), "peer"}} {
		nodes := names(set.groups, set.fallback)
		for i, files := range set.groups {
			if err := l.readNode(ctx, nodes[i], files); err != nil {
				return err
			}
		}
	}
	return nil
}

// readNode reads the files of one node, oldest first.
func (l *logs) readNode(ctx context.Context, name string, files []*logFile) error {
	var messages int64
	var empty, foreign error
	for _, f := range files {
		l.report.Files = append(l.report.Files, FileReport{Path: f.Path, Node: name, Compression: f.pack})
		r := &reader{
			service: l.service,
			node: func(container string) *peer {
				if container == "" || f.Name != "" {
					return l.peer(name)
				}
				return l.peer(container)
			},
			report: &l.report.Files[len(l.report.Files)-1],
			stamps: stamps{loc: l.cfg.Location},
		}
		if err := r.read(ctx, f); err != nil {
			return err
		}
		f.shut()
		l.finish(f, r, name)
		messages += r.report.Messages
		switch {
		case r.report.Messages > 0 || r.kind.fabric && f.orderer:
		case r.report.Lines == 0:
			empty = fmt.Errorf("%s: %s", f.Path, missed(f, r))
		case !r.kind.fabric:
			foreign = fmt.Errorf("%s: %s", f.Path, missed(f, r))
		default:
			empty = fmt.Errorf("%s: %s", f.Path, missed(f, r))
		}
	}
	if foreign != nil {
		return foreign
	}
	if messages == 0 && empty != nil {
		return empty
	}
	return nil
}

// finish takes over what a file said beside its messages.
func (l *logs) finish(f *logFile, r *reader, name string) {
	facts := stampFacts{stamps: r.stamps, path: f.Path, peers: r.peers, orderer: r.report.OrdererMessages > 0}
	if r.report.OrdererMessages > 0 && !slices.Contains(l.orderers, name) {
		l.orderers = append(l.orderers, name)
	}
	if r.report.Messages > 0 {
		l.stamps = append(l.stamps, facts)
	}
	switch {
	case f.orderer && r.report.OrdererMessages == 0 && r.report.PeerMessages > 0:
		l.warn("%s was given as an orderer's log and holds a peer's lines: it was read as the log of peer %s", f.Path, name)
	case !f.orderer && r.report.PeerMessages == 0 && r.report.OrdererMessages > 0:
		l.warn("%s was given as a peer's log and holds an orderer's lines: it was read as an orderer's log", f.Path)
	}
	if r.report.Damage != nil {
		l.warn("%s is damaged: %v; everything before that was read", f.Path, r.report.Damage)
	}
	if n := r.report.Undated; n > 0 {
		l.warn("%s: left out %s about blocks without a date and time that can be read", f.Path, english.Plural(int(n), "message", ""))
	}
	switch n := r.report.Repeated; {
	case n*10 > r.report.Messages:
		l.warn("%s: %d of %d messages tell of a block once more and the first counts: the file was given twice, or holds the logs of several networks or runs", f.Path, n, r.report.Messages)
	case n > 0:
		l.fact("%s: %s of a block once more; the first of an orderer's and of commits counts", f.Path, english.Plural(int(n), "message", ""))
	}
	if n := r.report.Torn + r.report.Garbage; n > 0 {
		l.warn("%s: skipped %s and %s with binary garbage", f.Path, english.Plural(int(r.report.Torn), "torn message", ""), english.Plural(int(r.report.Garbage), "line", ""))
	}
}

// missed says what was looked for in a log that has none of it, and what is there.
func missed(f *logFile, r *reader) string {
	want := `"Committed block [N]" or "Received block [N] from buffer" of a peer`
	if f.orderer {
		want = `"Writing block [N]", "Wrote block [N]" or "Created block [N]" of an orderer`
	}
	var is string
	switch k := r.kind; {
	case r.report.Bytes == 0:
		return "the log is empty"
	case r.report.Undated > 0:
		is = "messages about blocks are there, but none has a date and a time that can be read"
	case r.report.Damage != nil:
		is = "reading stopped: " + r.report.Damage.Error()
	case k.fabric:
		is = "it is a log of Fabric, written before any block came or at a level that hides them (INFO is needed)"
	case r.report.Garbage*2 > r.report.Lines:
		is = "it looks like binary data or another character set than UTF-8"
	case k.json && !k.message:
		is = "it looks like JSON without msg"
	case k.json:
		is = "it looks like JSON of another program"
	case k.dated:
		is = "it looks like a log of another program"
	default:
		is = "it looks like text without timestamps"
	}
	return fmt.Sprintf("no line with %s among %s: %s", want, english.Plural(int(r.report.Lines), "line", ""), is)
}

func (l *logs) peer(name string) *peer {
	for _, p := range l.peers {
		if p.name == name {
			return p
		}
	}
	p := newPeer(name)
	l.peers = append(l.peers, p)
	return p
}

func (l *logs) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

func (l *logs) fact(format string, args ...any) {
	l.facts = append(l.facts, fmt.Sprintf(format, args...))
}

// wanted reports whether the caller asked for a channel.
func (l *logs) wanted(channel string) bool {
	return len(l.cfg.Channels) == 0 || slices.Contains(l.cfg.Channels, channel)
}

// errNothing is the end of a Read that found no stream.
func (l *logs) errNothing() error {
	if len(l.cfg.Channels) == 0 {
		return errors.New("no line about a block is in the logs")
	}
	seen := make(map[string]bool)
	for _, p := range l.peers {
		for c := range p.channels {
			seen[c] = true
		}
	}
	for c := range l.service.channels {
		seen[c] = true
	}
	return fmt.Errorf("channel %s is not in the logs; they hold %s",
		strings.Join(l.cfg.Channels, ", "), strings.Join(slices.Sorted(maps.Keys(seen)), ", "))
}
