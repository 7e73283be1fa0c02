package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/traces/event"
)

// Check reads the whole ledger and returns nil when its parts agree: every block
// is there, is what its hash says and follows the one before it, every transaction is in
// the index and every write in the history, the state holds the newest write of each
// key, and nothing is stored above the height. It takes one entry of memory for
// each key of the state.
func (l *Ledger) Check(ctx context.Context) error {
	if err := l.usable(); err != nil {
		return err
	}
	from := l.first
	if kept := event.Height(l.window); kept > 0 && l.height > event.Height(from)+kept {
		from = event.BlockNum(l.height - kept)
	}
	newest := make(map[string]stateValue)
	var before hash
	linked := false // before is a marshalled block's
	for n := from; event.Height(n) < l.height; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := l.record(ctx, n)
		if err != nil {
			return err
		}
		var c candidate
		if err := l.reread(&c, r); err != nil {
			return err
		}
		if err := errors.Join(l.checkChain(&c, before, linked), l.checkEntries(ctx, &c)); err != nil {
			return fmt.Errorf("block %d: %w", n, err)
		}
		c.replay(newest, from > 0 && from == l.first)
		before, linked = r.hash, !r.madeUp
	}
	if before != l.tip && l.height > event.Height(l.first) {
		return fmt.Errorf("block %d: is not the block that was committed last", l.height-1)
	}
	for key, want := range newest {
		if err := l.checkState(ctx, key, want); err != nil {
			return err
		}
	}
	if _, err := l.record(ctx, event.BlockNum(l.height)); !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("block %d: is stored above the height", l.height)
	}
	return nil
}

// checkChain holds a block against its hash and the block before it.
func (l *Ledger) checkChain(c *candidate, before hash, linked bool) error {
	if c.madeUp {
		if before == (hash{}) && c.number() > l.first {
			return nil // the hash of the block before it is gone
		}
		if sum := madeUpHash(before, c.transactions); sum != c.hash {
			return errors.New("is not the block that its hash says, or does not follow the one before it")
		}
		return nil
	}
	view, err := fabric.ParseBlock(c.block.Payload)
	if err != nil {
		return err
	}
	if sum := view.SumData(); !bytes.Equal(sum[:], view.DataHash) {
		return fabric.ErrDataHash
	}
	if view.HeaderHash() != c.hash {
		return errors.New("is not the block that its hash says")
	}
	if linked && !bytes.Equal(view.PreviousHash, before[:]) {
		return fabric.ErrFork
	}
	return nil
}

// checkEntries holds a block against index and history.
func (l *Ledger) checkEntries(ctx context.Context, c *candidate) error {
	value, ok, err := l.get(ctx, indexTable, appendHashKey(nil, &c.hash))
	if err != nil {
		return err
	}
	if n, whole := number(value); !ok || !whole || n != uint64(c.number()) {
		return errors.New("its hash is not in the index")
	}
	for i := range c.transactions {
		t := &c.transactions[i]
		if t.TxID != "" {
			at, err := l.Transaction(ctx, t.TxID)
			if err != nil {
				return err
			}
			here := at == Location{c.number(), i, t.Code}
			earlier := at.Block < c.number() || at.Block == c.number() && at.Transaction < i
			// Of a transaction that was good, an earlier one of the block may have the id if it was not.
			good := t.Code == valid && t.Type == commonpb.HeaderType_ENDORSER_TRANSACTION
			if !here && (!earlier || good && (at.Block != c.number() || at.Code == valid)) {
				return fmt.Errorf("transaction %d is not in the index", i)
			}
		}
		if t.Code != valid || t.Type != commonpb.HeaderType_ENDORSER_TRANSACTION {
			continue
		}
		for _, n := range t.Set.Namespaces {
			for k, w := range n.Writes {
				key := version{c.number(), uint32(i)}.append(appendHistoryPrefix(nil, n.Namespace, w.Key))
				if _, ok, err := l.get(ctx, historyTable, key); err != nil || !ok {
					return errors.Join(err, fmt.Errorf("transaction %d, write %d is not in the history", i, k))
				}
			}
		}
	}
	return nil
}

// replay notes what the block makes of the state; late: the state has keys from before the
// ledger. The metadata itself is not looked at.
func (c *candidate) replay(newest map[string]stateValue, late bool) {
	for i := range c.transactions {
		t := &c.transactions[i]
		if t.Code != valid {
			continue
		}
		at := version{c.number(), uint32(i)}
		sets(&t.Set, func(namespace []byte, n *fabric.NamespaceSet) {
			for _, w := range n.Writes {
				key := string(appendStateKey(nil, namespace, w.Key))
				newest[key] = stateValue{version: at, deleted: w.Delete}
			}
			for _, w := range n.Metadata {
				key := string(appendStateKey(nil, namespace, w.Key))
				if s, ok := newest[key]; ok && !s.deleted || !ok && late {
					newest[key] = stateValue{version: at, unknown: !ok || s.unknown}
				}
			}
		})
	}
}

func (l *Ledger) checkState(ctx context.Context, key string, want stateValue) error {
	value, ok, err := l.get(ctx, stateTable, []byte(key))
	if err != nil {
		return err
	}
	if want.deleted && !ok {
		return nil
	}
	s, whole := decodeState(value)
	if !ok || !whole || s.version != want.version || s.deleted != want.deleted || s.unknown != want.unknown {
		return fmt.Errorf("state %q: is not what transaction %d of block %d wrote", key, want.version.transaction, want.version.block)
	}
	return nil
}
