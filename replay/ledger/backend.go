package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Backend is a kind of ledger: one that Open makes, or, if it is not IsStore, one that is
// made of a trace's times (scale.go).
type Backend struct {
	// Name is the first word of a spec, Options what may follow it.
	Name    string
	Options []Option
	// About is one line for people.
	About string
	// Durability says when a block is on the disk, if the spec is Durable.
	Durability string
	// Timing says how far the stages of a commit are told apart.
	Timing string
	// Limits says what the backend does not take, or does not give back; empty: nothing.
	Limits string
	// InMemory: nothing outlives Close, and there is no directory.
	InMemory bool

	// marker matches a file that a ledger of this backend has, and none of the others; only
	// couchdb has leveldb's too. Empty: there are no files.
	marker string
	// maxKey is how many bytes a key that a transaction writes has at most, with its
	// namespace; 0: any number. The engine must take more: what stands beside the two in the
	// tables (layout.go), 17 bytes in the history.
	maxKey int
	// open opens the store in the directory cfg.Dir, and makes one there if cfg.Existing is
	// not set; a backend that is InMemory has no directory. Nil: the ledger is none that Open
	// makes, but the times of a trace.
	open func(ctx context.Context, cfg Config, o options) (store, error)
	// volatile: with these options a commit is not on the disk when it returns. Nil: no
	// options do that.
	volatile func(o options) bool
}

// HasOption tells whether one of the options is so.
func (b Backend) HasOption(is func(Option) bool) bool { return slices.ContainsFunc(b.Options, is) }

// IsStore tells a ledger that Open makes from a cost model over a trace.
func (b Backend) IsStore() bool { return b.open != nil }

// The backends, in the order in which people see them. A new one is a file and a line.
var backends = []Backend{
	recordedBackend,
	memoryBackend,
	badgerBackend,
	levelDBBackend,
	couchDBBackend,
	pebbleBackend,
	bboltBackend,
}

// For Backend.Durability.
const whenSynced = "a block is on the disk when its commit returns"

// How a backend's stages are measured: for Backend.Timing.
const (
	oneWrite    = "one write a block, counted as block store; state and history: preparing their entries"
	writeEach   = "each store's own write"
	notMeasured = "the trace's own"
)

// Specs of ledgers, as Name returns them.
const (
	Memory       = "memory"
	Badger       = "badger"
	BadgerNoSync = "badger:sync=false"
)

// List returns the backends in a fixed order.
func List() []Backend { return append([]Backend(nil), backends...) }

// Find returns the backend that a spec names; its options are not looked at.
func Find(spec string) (Backend, bool) {
	name, _, _ := strings.Cut(spec, ":")
	for _, b := range backends {
		if b.Name == name {
			return b, true
		}
	}
	return Backend{}, false
}

// Names returns the names of the backends, for messages.
func Names() string {
	var names []string
	for _, b := range backends {
		names = append(names, b.Name)
	}
	return strings.Join(names, ", ")
}

// Parse checks a spec without opening anything, so that a run can fail before it
// has begun, and returns it as Name will: a backend's name, and after a colon those of
// its options that are not the default.
func Parse(spec string) (string, error) {
	k, err := parse(spec)
	return k.String(), err
}

// ParseList takes a list of specs apart: badger:sync=false,compression=zstd,memory is two.
// It does not check them; Parse does.
func ParseList(list string) []string {
	var specs []string
	for part := range strings.SplitSeq(list, ",") {
		name, _, option := strings.Cut(part, "=")
		if option && !strings.Contains(name, ":") && len(specs) > 0 {
			specs[len(specs)-1] += "," + part
			continue
		}
		specs = append(specs, part)
	}
	return specs
}

// With returns the spec with one more option, name=value.
func With(spec, option string) string {
	if strings.Contains(spec, ":") {
		return spec + "," + option
	}
	return spec + ":" + option
}

// Durable reports whether the commits of a ledger are on the disk when they return. It
// is false for a spec that Parse refuses, and for a ledger in memory.
func Durable(spec string) bool {
	k, err := parse(spec)
	return err == nil && !k.backend.InMemory && (k.backend.volatile == nil || !k.backend.volatile(k.options))
}

// kind is a spec taken apart.
type kind struct {
	backend Backend
	options options
}

func (k kind) String() string {
	if o := k.options.String(); o != "" {
		return k.backend.Name + ":" + o
	}
	return k.backend.Name
}

func parse(spec string) (kind, error) {
	name, text, _ := strings.Cut(spec, ":")
	b, known := Find(spec)
	switch {
	case !known:
		return kind{}, fmt.Errorf("ledger %q is unknown; known are %s", name, Names())
	case !b.IsStore():
		return kind{}, fmt.Errorf("ledger %q is the times of a trace: it can be replayed, not opened", name)
	}
	o, err := parseOptions(b.Options, text)
	if errors.Is(err, errSecret) {
		return kind{}, fmt.Errorf("ledger %q: %w", name, err)
	}
	if err != nil {
		return kind{}, fmt.Errorf("ledger %q: %w", spec, err)
	}
	return kind{b, o}, nil
}
