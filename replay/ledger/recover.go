package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/validate"
	"github.com/blockreel/blockreel/traces/event"
)

// load begins a new ledger, or reads an existing one and brings its tables up to the block table.
func (l *Ledger) load(ctx context.Context, cfg Config) error {
	origin, ok, err := l.get(ctx, indexTable, originKey)
	if err != nil {
		return err
	}
	switch {
	case !ok && cfg.Existing:
		return errors.New("there is no ledger")
	case !ok:
		err = l.begin(ctx, cfg)
	default:
		err = l.resume(origin, cfg)
	}
	if err != nil {
		return err
	}
	l.made = newGenerator(l.channel)
	l.validator, err = validate.New(validate.Config{Channel: l.channel, Workers: cfg.Validators})
	if err != nil {
		return err
	}
	if err := l.loadMetadata(ctx); err != nil {
		return err
	}
	return l.catchUp(ctx)
}

func (l *Ledger) begin(ctx context.Context, cfg Config) error {
	l.first, l.channel = cfg.First, cfg.Channel
	b := &l.batch
	b.reset()
	b.put(indexTable, originKey, append(appendNumber(nil, uint64(l.first)), cfg.Channel...))
	for _, t := range []table{indexTable, stateTable, historyTable} {
		b.save(t, event.Height(l.first))
	}
	return l.write(ctx)
}

func (l *Ledger) resume(origin []byte, cfg Config) error {
	first, ok := number(origin[:min(8, len(origin))])
	if !ok {
		return errors.New("its origin is damaged")
	}
	l.first, l.channel = event.BlockNum(first), string(origin[8:])
	if cfg.Channel != "" && cfg.Channel != l.channel {
		return fmt.Errorf("it belongs to channel %q, not %q", l.channel, cfg.Channel)
	}
	return nil
}

// catchUp finds the height, and commits to each table the blocks that it lacks.
func (l *Ledger) catchUp(ctx context.Context) error {
	var saved [tables]event.Height
	low := event.Height(0)
	for _, t := range []table{indexTable, stateTable, historyTable} {
		h, err := l.saved(ctx, t)
		if err != nil {
			return err
		}
		if saved[t] = h; t == indexTable || h < low {
			low = h
		}
	}
	for l.height = low; ; l.height++ {
		r, err := l.record(ctx, event.BlockNum(l.height))
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return err
		}
		var wants [tables]bool
		unfinished := false
		for t, h := range saved {
			wants[t] = table(t) != blockTable && h <= l.height
			unfinished = unfinished || wants[t]
		}
		if unfinished && l.readOnly {
			return errUnfinished
		}
		if err := l.recommit(ctx, r, wants); err != nil {
			return fmt.Errorf("recommit block %d: %w", r.block.Number, err)
		}
	}
	for t, h := range saved {
		if h > l.height {
			return fmt.Errorf("it is damaged: %s is at height %d, but block %d is missing", table(t), h, l.height)
		}
	}
	if l.height == event.Height(l.first) {
		return nil
	}
	last, err := l.record(ctx, event.BlockNum(l.height-1))
	if err != nil {
		return err
	}
	c := &l.next
	if err := l.reread(c, last); err != nil {
		return err
	}
	l.follow(c)
	return nil
}

// saved returns the savepoint of a table.
func (l *Ledger) saved(ctx context.Context, t table) (event.Height, error) {
	value, ok, err := l.get(ctx, t, savepointKey)
	if err != nil {
		return 0, err
	}
	if !ok {
		return event.Height(l.first), nil
	}
	h, ok := number(value)
	if !ok || h < uint64(l.first) {
		return 0, fmt.Errorf("the savepoint of its %s is damaged", t)
	}
	return event.Height(h), nil
}

// recommit writes a stored block to the tables that lack it, with the codes of its record.
func (l *Ledger) recommit(ctx context.Context, r record, wants [tables]bool) error {
	c := &l.next
	if err := l.reread(c, r); err != nil {
		return err
	}
	c.again = true
	if err := l.lookUp(ctx, c); err != nil {
		return err
	}
	// A complete state may be ahead of the block: it is not read.
	if wants[stateTable] {
		if err := l.applyState(ctx, c); err != nil {
			return err
		}
	}
	l.gather(c, wants)
	return l.write(ctx)
}

// reread makes a candidate of a stored block.
func (l *Ledger) reread(c *candidate, r record) error {
	c.begin(&r.block)
	c.record = r
	c.codes = bytes.Clone(r.codes) // else they would keep the whole record alive
	if r.madeUp {
		c.transactions = l.made.read(c.transactions, &c.block)
	} else {
		view, err := fabric.ParseBlock(r.block.Payload)
		if err != nil {
			return fmt.Errorf("block %d: %w", c.number(), err)
		}
		c.transactions = validate.Read(&view, c.transactions)
		c.take(&view)
		c.hash = r.hash
	}
	if len(c.transactions) != len(r.codes) {
		return fmt.Errorf("block %d: its record is damaged", c.number())
	}
	for i := range c.transactions {
		c.transactions[i].Code = validate.Code(r.codes[i])
	}
	c.complete()
	return nil
}

func (l *Ledger) get(ctx context.Context, t table, key []byte) (value []byte, ok bool, err error) {
	err = l.store.read(ctx, t, [][]byte{key}, func(_ int, v []byte) {
		value, ok = append([]byte(nil), v...), true
	})
	return value, ok, err
}

// record reads a stored block, or fails with ErrNotFound.
func (l *Ledger) record(ctx context.Context, n event.BlockNum) (record, error) {
	value, ok, err := l.get(ctx, blockTable, appendNumber(nil, uint64(n)))
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return record{}, fmt.Errorf("block %d: %w", n, err)
	}
	return decodeRecord(n, value)
}
