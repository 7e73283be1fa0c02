package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Backend is a kind of ledger: one that Open opens, or, unless it IsStore, the times of a trace.
type Backend struct {
	// Name begins a spec, Options may follow.
	Name    string
	Options []Option
	// About describes the backend in a line.
	About string
	// Durability says when a block is on the disk if the spec is Durable.
	Durability string
	// Timing says which stages of a commit are timed apart.
	Timing string
	// Limits says what the backend refuses or loses. Empty: nothing.
	Limits string
	// InMemory: nothing outlives Close, and there is no directory.
	InMemory bool

	// marker matches a file of this backend's ledgers alone; couchdb has leveldb's too. Empty:
	// there are no files.
	marker string
	// maxKey bounds the bytes of a written key and its namespace; 0: no bound. The history adds 17
	// bytes to them, which the engine must take.
	maxKey int
	// open opens the store in cfg.Dir, or makes one there unless cfg.Existing. Nil: not IsStore.
	open func(ctx context.Context, cfg Config, o options) (store, error)
	// volatile reports whether commits with these options return before they are on the disk. Nil:
	// never.
	volatile func(o options) bool
}

// HasOption reports whether the backend has such an option.
func (b Backend) HasOption(is func(Option) bool) bool { return slices.ContainsFunc(b.Options, is) }

// IsStore reports whether Open can open the backend.
func (b Backend) IsStore() bool { return b.open != nil }

// The backends in the order of the help. A new one is a file and a line.
var backends = []Backend{
	recordedBackend,
	memoryBackend,
	badgerBackend,
	levelDBBackend,
	couchDBBackend,
	pebbleBackend,
	bboltBackend,
}

const whenSynced = "a block is on the disk when its commit returns"

// Values of Backend.Timing.
const (
	oneWrite    = "one write for each block, counted as block store; state and history are the time to prepare their entries"
	writeEach   = "each store's own write"
	notMeasured = "the trace's own"
)

// Specs of ledgers.
const (
	Memory       = "memory"
	Badger       = "badger"
	BadgerNoSync = "badger:sync=false"
)

// List returns the backends in a fixed order.
func List() []Backend { return append([]Backend(nil), backends...) }

// Find returns the backend that a spec names. It does not check options.
func Find(spec string) (Backend, bool) {
	name, _, _ := strings.Cut(spec, ":")
	for _, b := range backends {
		if b.Name == name {
			return b, true
		}
	}
	return Backend{}, false
}

// Names returns the names of the backends.
func Names() string {
	var names []string
	for _, b := range backends {
		names = append(names, b.Name)
	}
	return strings.Join(names, ", ")
}

// Parse checks a spec and returns its short form: the options that are not the default.
func Parse(spec string) (string, error) {
	k, err := parse(spec)
	return k.String(), err
}

// ParseList splits a list of specs: badger:sync=false,compression=zstd,memory is two. Parse checks
// them.
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

// Durable reports whether the commits of a ledger are on the disk when they return. It is false for
// a spec that Parse refuses.
func Durable(spec string) bool {
	k, err := parse(spec)
	return err == nil && !k.backend.InMemory && (k.backend.volatile == nil || !k.backend.volatile(k.options))
}

// kind is a parsed spec.
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
		return kind{}, fmt.Errorf("unknown ledger %q; choose one of %s", name, Names())
	case !b.IsStore():
		return kind{}, fmt.Errorf("ledger %q is the times of a trace; it cannot be opened", name)
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
