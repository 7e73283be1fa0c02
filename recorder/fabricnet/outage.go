package fabricnet

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/blockreel/blockreel/traces"
)

// An outage is a time in which a node was out of sight on one of its channels or more:
// reported once when it begins and once when it is over, however many channels it had.
type outage struct {
	mu     sync.Mutex
	lost   map[string]bool // channels
	from   time.Time
	cause  error
	missed []string // blocks that have no time, by channel
	told   int
}

// maxOutages bounds the notes of a node, or a page, that comes and goes.
const maxOutages = 100

// lose takes it that a node's channel has not been seen since then.
func (n *Network) lose(nd *node, channel string, since time.Time, cause error) {
	o := &nd.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	first := len(o.lost) == 0
	if first {
		o.lost, o.from, o.cause, o.missed = map[string]bool{}, since, bare(cause), nil
	}
	o.lost[channel] = true
	if since.Before(o.from) {
		o.from = since
	}
	if first {
		n.cfg.Tell(fmt.Sprintf("%s %s is lost, and is tried again: %v", nd.role(), nd.Name, o.cause))
	}
}

// regain takes it that a channel is seen again; missed are the blocks that have no time.
func (n *Network) regain(nd *node, channel string, at time.Time, missed string) {
	o := &nd.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.lost, channel)
	if missed != "" {
		o.missed = append(o.missed, missed+" of "+channel)
	}
	if len(o.lost) > 0 {
		return
	}
	took := at.Sub(o.from).Round(time.Millisecond)
	n.cfg.Tell(fmt.Sprintf("%s %s is back after %v", nd.role(), nd.Name, took))
	if o.told++; o.told > maxOutages {
		return
	}
	text := "no block came in between"
	if len(o.missed) > 0 {
		text = strings.Join(o.missed, ", ") + " came in between and have no time from it"
	}
	n.note(-1, traces.NoteWarning, "%s %s was not observed for %v, from %v on: %s (%v)",
		nd.role(), nd.Name, took, o.from.Sub(n.base).Round(time.Millisecond), text, o.cause)
}

// tellOutage notes that a node was out of sight when the recording ended.
func (n *Network) tellOutage(nd *node) {
	o := &nd.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.lost) > 0 {
		n.note(-1, traces.NoteWarning, "%s %s was not observed from %v on, to the end (%v)",
			nd.role(), nd.Name, o.from.Sub(n.base).Round(time.Millisecond), o.cause)
	}
}

// note adds a note to the trace, and keeps warnings for Warnings.
func (n *Network) note(stream int, kind, format string, args ...any) {
	note := traces.Note{Stream: stream, Kind: kind, Text: fmt.Sprintf(format, args...)}
	n.rec.Note(note)
	if kind != traces.NoteWarning {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.warnings) < maxWarnings {
		n.warnings = append(n.warnings, note)
	}
}

const maxWarnings = 1 << 10

// Warnings are those that stand in the trace, each once, with the streams that it is about.
func (n *Network) Warnings() (all []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	streams := map[string][]string{}
	var texts []string
	for _, w := range n.warnings {
		if _, ok := streams[w.Text]; !ok {
			texts = append(texts, w.Text)
			streams[w.Text] = nil
		}
		if w.Stream >= 0 {
			streams[w.Text] = append(streams[w.Text], n.streamName(w.Stream))
		}
	}
	for _, text := range texts {
		if of := streams[text]; len(of) > 0 {
			text = strings.Join(of, ", ") + ": " + text
		}
		all = append(all, text)
	}
	return all
}

func (n *Network) streamName(i int) string {
	return n.cfg.Channels[i/len(n.cfg.Peers)] + "@" + n.cfg.Peers[i%len(n.cfg.Peers)].Name
}
