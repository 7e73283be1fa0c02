package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/traces/event"
)

// Config says where a ledger is stored and whose it is.
type Config struct {
	// Dir is the directory of a ledger in files; it is made if it does not exist.
	Dir string
	// Channel is the name of the ledger's channel. Made-up blocks depend on it; transactions of
	// other channels are not valid. Empty: that of the existing ledger; a new ledger takes any.
	Channel string
	// Existing refuses to begin a new ledger.
	Existing bool
	// ReadOnly opens an existing ledger and changes nothing in its directory. A ledger whose last
	// commit was interrupted is refused.
	ReadOnly bool
	// First is the number of the first block of a new ledger. An existing ledger keeps its own.
	First event.BlockNum
	// Validators is the number of transactions validated at once, Fabric's peer.validatorPoolSize.
	// Zero: the number of CPUs.
	Validators int
}

func (c Config) validate() error {
	if len(c.Channel) > maxChannel {
		return fmt.Errorf("a ledger's channel has at most %d bytes, not %d", maxChannel, len(c.Channel))
	}
	return nil
}

const maxChannel = 1 << 10

// OpenError is the error of a backend that cannot be opened.
type OpenError struct {
	Spec, Dir string
	Err       error
}

func (e *OpenError) Error() string { return fmt.Sprintf("ledger %q in %s: %v", e.Spec, e.Dir, e.Err) }
func (e *OpenError) Unwrap() error { return e.Err }

// Open opens the ledger of a spec, a backend's name with options after a colon: memory, badger,
// badger:sync=false. It completes an interrupted commit.
func Open(spec string, cfg Config) (*Ledger, error) {
	return OpenContext(context.Background(), spec, cfg)
}

// OpenContext is Open for a backend that may wait for a server.
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

// guarded opens the backend. Some engines panic if the directory is damaged.
func guarded(ctx context.Context, k kind, cfg Config) (s store, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the directory is damaged: %v", r)
		}
	}()
	return k.backend.open(ctx, cfg, k.options)
}
