package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/traces/event"
)

// Config says where a ledger is kept and whose it is.
type Config struct {
	// Dir is the directory of a ledger that is kept in files; it is made when it
	// is not there. The memory ledger needs none.
	Dir string
	// Channel is the name of the ledger's channel. The contents of synthesized
	// blocks follow from it; transactions of other channels are not valid. Empty: that of
	// the ledger that is there; a new one without a channel takes transactions of any.
	Channel string
	// Existing opens a ledger that is there, and does not begin a new one.
	Existing bool
	// ReadOnly opens a ledger that is there, and changes nothing in its directory, which may
	// be read-only. It takes no blocks. One that was broken off in the middle of a block is
	// refused.
	ReadOnly bool
	// First is the number of the first block of a new ledger. Zero is the genesis
	// block; a trace often starts later. A ledger that exists keeps its own.
	First event.BlockNum
	// Validators is how many transactions are validated at once: Fabric's
	// peer.validatorPoolSize. Zero: the number of CPUs.
	Validators int
	// Logger takes the backend's messages; nil means that nobody wants them.
	Logger *slog.Logger
}

func (c Config) validate() error {
	if len(c.Channel) > maxChannel {
		return fmt.Errorf("a ledger's channel has at most %d bytes, not %d", maxChannel, len(c.Channel))
	}
	return nil
}

// maxChannel is longer than Fabric lets a channel's name be.
const maxChannel = 1 << 10

// OpenError is a backend that could not be opened, for a reason of its own.
type OpenError struct {
	Spec, Dir string
	Err       error
}

func (e *OpenError) Error() string { return fmt.Sprintf("ledger %q in %s: %v", e.Spec, e.Dir, e.Err) }
func (e *OpenError) Unwrap() error { return e.Err }

// Open opens the ledger that spec names, a backend's name with its options after
// a colon: memory, badger, badger:sync=false. A ledger that was broken off in the
// middle of a block is brought to that block's end.
func Open(spec string, cfg Config) (*Ledger, error) {
	return OpenContext(context.Background(), spec, cfg)
}

// OpenContext is Open for a backend that may keep the caller waiting.
func OpenContext(ctx context.Context, spec string, cfg Config) (*Ledger, error) {
	k, err := parse(spec)
	if err != nil {
		return nil, err
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Existing = cfg.Existing || cfg.ReadOnly
	l := &Ledger{spec: k.String(), readOnly: cfg.ReadOnly, maxKey: k.backend.maxKey}
	if k.backend.InMemory {
		l.window = uint64(k.options.count("blocks"))
	} else if l.dir, err = cfg.directory(Durable(spec)); err != nil {
		return nil, fmt.Errorf("ledger %q: %w", spec, err)
	} else if err := expect(k.backend, cfg); err != nil {
		return nil, fmt.Errorf("ledger %q in %s: %w", spec, cfg.Dir, err)
	}
	if l.store, err = guarded(ctx, k, cfg); err != nil {
		return nil, &OpenError{Spec: spec, Dir: cfg.Dir, Err: plain(err)}
	}
	err = l.load(ctx, cfg)
	if err == nil {
		err = l.checkHeight()
	}
	if err == nil && l.dir != "" && !cfg.ReadOnly && Durable(spec) {
		err = outfile.SyncDir(l.dir) // what the backend has made there
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ledger %q in %s: %w", spec, cfg.Dir, err), l.Close())
	}
	l.whole = true
	if s, ok := l.store.(opener); ok {
		s.opened()
	}
	return l, nil
}

// directory makes the ledger's directory, or finds that it is there.
func (c Config) directory(durable bool) (string, error) {
	if c.Dir == "" {
		return "", errors.New("it needs a directory")
	}
	if c.Existing {
		entries, err := os.ReadDir(c.Dir)
		if err == nil && len(entries) == 0 {
			err = fmt.Errorf("there is no ledger in %s", c.Dir)
		}
		return c.Dir, err
	}
	if durable {
		return c.Dir, outfile.MakeDir(c.Dir)
	}
	return c.Dir, os.MkdirAll(c.Dir, 0o755)
}

// guarded opens the backend. Some engines panic on a directory that is damaged; for
// whoever opens it that is an error like others.
func guarded(ctx context.Context, k kind, cfg Config) (s store, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the directory is damaged: %v", r)
		}
	}()
	return k.backend.open(ctx, cfg, k.options)
}
