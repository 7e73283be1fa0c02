package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

var errNoBlock = errors.New("not in the ledger")

// Block returns a stored block with its payload. The memory ledger has only the
// last blocks.
func (l *Ledger) Block(n event.BlockNum) (block.Block, error) {
	if event.Height(n) >= l.height {
		return block.Block{}, fmt.Errorf("block %d: %w", n, errNoBlock)
	}
	b, _, err := l.block(n)
	return b, err
}

func (l *Ledger) block(n event.BlockNum) (b block.Block, before hash, err error) {
	value, ok, err := l.store.get(nil, appendBlockKey(nil, n))
	if err == nil && !ok {
		err = errNoBlock
	}
	if err != nil {
		return b, before, fmt.Errorf("block %d: %w", n, err)
	}
	if b, before, ok = decodeBlock(n, value); !ok {
		return b, before, fmt.Errorf("block %d: its record is damaged", n)
	}
	return b, before, nil
}

// Check reads the whole ledger and returns nil when its parts agree: every block
// is there and hashes to what the next one says, every transaction is in the
// index and every write in the history, the state holds the newest write of each
// key, and nothing is stored above the height. It takes one entry of memory for
// each key of the state.
func (l *Ledger) Check(ctx context.Context) error {
	from := l.first
	if kept := event.Height(l.window); kept > 0 && l.height > event.Height(from)+kept {
		from = event.BlockNum(l.height - kept)
	}
	newest := make(map[string]version)
	var chain hash
	for n := from; event.Height(n) < l.height; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, before, err := l.block(n)
		if err != nil {
			return err
		}
		if n == from && n > l.first {
			chain = before
		}
		if before != chain {
			return fmt.Errorf("block %d: does not follow block %d", n, n-1)
		}
		ids := appendIDs(nil, n, b.Payload, b.Transactions)
		if err := l.checkBlock(&b, ids, newest); err != nil {
			return fmt.Errorf("block %d: %w", n, err)
		}
		chain = chainHash(&chain, ids)
	}
	if chain != l.chain {
		return fmt.Errorf("block %d: is not the block that was committed last", l.height-1)
	}
	for key, want := range newest {
		value, ok, err := l.store.get(nil, []byte(key))
		if err != nil {
			return err
		}
		if !ok || len(value) < versionSize || versionOf(value) != want {
			return fmt.Errorf("state %q: is not the write %d of block %d", key[1:], want.position, want.block)
		}
	}
	if _, _, err := l.block(event.BlockNum(l.height)); !errors.Is(err, errNoBlock) {
		return fmt.Errorf("block %d: is stored above the height", l.height)
	}
	return nil
}

// checkBlock holds one block against index and history, and notes its writes.
func (l *Ledger) checkBlock(b *block.Block, ids []hash, newest map[string]version) error {
	for i := range ids {
		value, ok, err := l.store.get(nil, appendIndexKey(nil, &ids[i]))
		if err != nil {
			return err
		}
		if !ok || len(value) != versionSize || versionOf(value) != (version{b.Number, uint32(i)}) {
			return fmt.Errorf("transaction %d is not in the index", i)
		}
	}
	for i := range b.Writes {
		key := l.made.appendStateKey(nil, b.Number, i)
		_, ok, err := l.store.get(nil, appendHistoryKey(nil, key, b.Number, i))
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("write %d is not in the history", i)
		}
		newest[string(key)] = version{b.Number, uint32(i)}
	}
	return nil
}
