package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/blockreel/blockreel/traces/event"
)

// Config says where a ledger is kept and whose it is.
type Config struct {
	// Dir is the directory of a ledger that is kept in files; it is made when it
	// is not there. The memory ledger needs none.
	Dir string
	// Channel is the name of the ledger's channel. The contents of synthesized
	// blocks follow from it.
	Channel string
	// First is the number of the first block of a new ledger. Zero is the genesis
	// block; a trace often starts later. A ledger that exists keeps its own.
	First event.BlockNum
	// Logger takes the backend's messages; nil means that nobody wants them.
	Logger *slog.Logger
}

// Specs of the ledgers that Open makes, as Name returns them.
const (
	Memory       = "memory"
	Badger       = "badger"
	BadgerNoSync = "badger:sync=false"
)

// A Backend is a kind of ledger that Open, or the caller, can make.
type Backend struct {
	// Name is the first word of a spec, Options the forms that may follow it.
	Name    string
	Options []string
	// About is one line for people.
	About string
	// IsStore tells a ledger that Open makes from a cost model over a trace.
	IsStore bool
}

// List returns the backends in a fixed order.
func List() []Backend {
	return []Backend{
		{"recorded", nil, "the times that the trace holds, to scale per stage; stores nothing", false},
		{Memory, nil, "state and the last " + strconv.Itoa(memoryWindow) + " blocks in memory: the cost of the pipeline itself", true},
		{Badger, []string{"sync=false"}, "Badger v4, every block one durable commit; badger:sync=false leaves durability to the operating system", true},
	}
}

// Names returns the names of the backends, for messages.
func Names() string {
	var names []string
	for _, b := range List() {
		names = append(names, b.Name)
	}
	return strings.Join(names, ", ")
}

// Open opens the ledger that spec names, a backend's name with its options after
// a colon: memory, badger, badger:sync=false. A ledger that was broken off in the
// middle of a block is brought to that block's end.
func Open(spec string, cfg Config) (*Ledger, error) {
	k, err := parse(spec)
	if err != nil {
		return nil, err
	}
	l := &Ledger{spec: k.String(), made: newGenerator(cfg.Channel)}
	switch k.name {
	case Memory:
		l.store, l.window = newMemory(), memoryWindow
	case Badger:
		if l.store, err = openBadger(cfg.Dir, k.sync, cfg.Logger); err != nil {
			return nil, err
		}
	}
	if err := l.load(cfg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Parse checks a spec without opening anything, so that a run can fail before it
// has begun, and returns it as Name will.
func Parse(spec string) (string, error) {
	k, err := parse(spec)
	return k.String(), err
}

// kind is a spec taken apart.
type kind struct {
	name string
	sync bool
}

func (k kind) String() string {
	if k.name == Badger && !k.sync {
		return BadgerNoSync
	}
	return k.name
}

func parse(spec string) (kind, error) {
	name, options, _ := strings.Cut(spec, ":")
	k := kind{name: name, sync: true}
	switch {
	case name == "recorded":
		return kind{}, errors.New("ledger \"recorded\" is the times of a trace: it can be replayed, not opened")
	case name != Memory && name != Badger:
		return kind{}, fmt.Errorf("ledger %q is unknown; known are %s", name, Names())
	case options == "":
		return k, nil
	case name == Memory:
		return kind{}, fmt.Errorf("ledger %q: memory has no options", spec)
	}
	value, ok := strings.CutPrefix(options, "sync=")
	var err error
	if k.sync, err = strconv.ParseBool(value); !ok || err != nil {
		return kind{}, fmt.Errorf("ledger %q: the options of badger are sync=true and sync=false", spec)
	}
	return k, nil
}

// load reads height and chain of a ledger that exists, brings it to the end of a
// block that was broken off, or begins a new ledger.
func (l *Ledger) load(cfg Config) error {
	meta, ok, err := l.store.get(nil, metaKey)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if !ok {
		l.first, l.height = cfg.First, event.Height(cfg.First)
		l.batch.reset()
		l.batch.putMeta(l.first, cfg.Channel)
		l.batch.putHeight(l.height)
		return l.store.write(&l.batch)
	}
	height, ok, err := l.store.get(nil, heightKey)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if !ok || len(height) != 8 || len(meta) < 8 {
		return errors.New("ledger has no height: it is damaged")
	}
	if channel := string(meta[8:]); channel != cfg.Channel {
		return fmt.Errorf("the ledger in %s belongs to channel %q, not %q", cfg.Dir, channel, cfg.Channel)
	}
	l.first = event.BlockNum(binary.BigEndian.Uint64(meta))
	l.height = event.Height(binary.BigEndian.Uint64(height))
	if l.height > event.Height(l.first) {
		b, before, err := l.block(event.BlockNum(l.height) - 1)
		if err != nil {
			return err
		}
		l.ids = appendIDs(l.ids[:0], b.Number, b.Payload, b.Transactions)
		l.chain = chainHash(&before, l.ids)
	}
	return l.redo()
}

// redo commits the block that is stored above the height, if there is one.
func (l *Ledger) redo() error {
	b, _, err := l.block(event.BlockNum(l.height))
	if errors.Is(err, errNoBlock) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := l.Validate(ctx, &b); err != nil {
		return err
	}
	_, err = l.Commit(ctx, &b)
	return err
}
