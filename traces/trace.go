package traces

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// A Trace is a whole run in memory.
type Trace struct {
	Header
	// Timelines has one entry per Header.Streams, in the same order.
	Timelines []*Timeline
	// Samples has one entry a series, in the order of their first samples in the file;
	// each has at least one sample.
	Samples []SampleColumn
	// Notes are what the recorder or the replay had to say, in the order written.
	Notes []Note
	// Loss is nil when the file was whole to its end.
	Loss *Loss
}

// Header is what a trace says of itself before its first event.
type Header struct {
	// Base is the wall clock at Time 0, in UTC; zero when it is not known.
	Base time.Time
	// Tool names the program and version that wrote the trace.
	Tool string
	// Source says where the events come from: "run", "logs", "replay", ….
	Source string
	// Streams lists the trace's streams; an event names its stream by index.
	Streams []Stream
}

// Stream is one channel's blocks on their way from one orderer to one peer.
type Stream struct {
	Channel string
	// Orderer and Peer are names or addresses; empty when not known.
	Orderer, Peer string
	// Settings is the configuration of the stream's pipeline where it is known.
	Settings Settings
}

// Name returns the stream as people write it: channel@peer.
func (s Stream) Name() string {
	if s.Peer == "" {
		return s.Channel
	}
	return s.Channel + "@" + s.Peer
}

// Settings are the facts of a pipeline's configuration by name. Unknown names are
// kept as they are, so that an older program hands on what a newer one has written.
type Settings map[string]string

// Names of settings that blockreel itself reads or writes.
const (
	SettingPreset        = "preset"              // name of the pipeline preset, fabric-2.x
	SettingFabricVersion = "fabric_version"      // 2.5.16
	SettingBuffer        = "buffer_blocks"       // N, peer.gossip.state.blockBufferSize
	SettingValidatorPool = "validator_pool_size" // number of validation workers
	SettingStateDatabase = "state_database"      // goleveldb, CouchDB
	SettingLedger        = "ledger"              // memory, badger, recorded, or the real peer's
	SettingResolution    = "time_resolution_ns"  // resolution of the times in the source

	// SettingBacklogBefore is the number of a block. Those below it count as offered when
	// the recording began, and were offered earlier: they are no measure of a rate.
	SettingBacklogBefore = "recorded_backlog_before"
)

// Int returns the named setting as a number, and whether it is there and is one.
func (s Settings) Int(name string) (int64, bool) {
	v, err := strconv.ParseInt(s[name], 10, 64)
	return v, err == nil
}

// SetInt sets the named setting to a number.
func (s Settings) SetInt(name string, v int64) { s[name] = strconv.FormatInt(v, 10) }

// Names returns the names of the settings in order.
func (s Settings) Names() []string {
	names := make([]string, 0, len(s))
	for n := range s {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// A Note is a fact or a warning about the recording that became known while it ran.
type Note struct {
	// Stream is an index into Header.Streams, or −1 for the whole trace.
	Stream int
	// Kind is one of the Note constants; unknown kinds are kept.
	Kind string
	// Text is a finding, a sentence for people, or a number, depending on the kind.
	Text string
}

// Kinds of notes.
const (
	NoteFinding = "finding" // Text is a [finding.Finding] in JSON, without its stream
	NoteDropped = "dropped" // Text is the number of events that the recorder dropped

	// Kinds of notes in words, which older versions wrote: what weakens the figures of the
	// trace, how something in it was obtained, and the same of its payloads.
	NoteWarning  = "warning"
	NoteFact     = "fact"
	NotePayloads = "payloads"

	// NoteDroppedSamples is of the whole trace; Text is the number of samples that the
	// recorder dropped.
	NoteDroppedSamples = "dropped_samples"
)

// Loss tells what is missing at the end of a trace that was cut short or damaged.
type Loss struct {
	// Offset is the position in the file of the first byte that could not be used.
	Offset int64
	// Bytes is the number of bytes from Offset to the end of the file: of a file that was
	// cut short (EndMissing) not all that is missing, but what is there and of no use.
	Bytes int64
	// Cause is the error that reading stopped with.
	Cause error
}

// EndMissing tells that the file ends before the trace does. How much there was beyond
// its last byte, nothing tells.
func (l *Loss) EndMissing() bool { return errors.Is(l.Cause, ErrTruncated) }

// String says what is missing, as far as it is known.
func (l *Loss) String() string {
	switch {
	case !l.EndMissing():
		return fmt.Sprintf("%d bytes from byte %d on, to the end of the file, cannot be used: %v", l.Bytes, l.Offset, l.Cause)
	case l.Bytes == 0:
		return "the end of the trace is missing: it was not closed, and up to about a second of events may be missing, " +
			"or the copy is not complete, and nothing tells how much is missing"
	}
	return fmt.Sprintf("the end of the trace is missing, and nothing tells how much of it; "+
		"of what is there the last %d bytes, from byte %d on, belong to an unfinished part and cannot be used", l.Bytes, l.Offset)
}

// Events returns the number of values that the trace holds.
func (t *Trace) Events() int {
	n := 0
	for _, tl := range t.Timelines {
		for k := range event.NumKinds {
			n += tl.Observed(event.Kind(k))
		}
	}
	return n
}
