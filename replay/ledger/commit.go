package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// Commit stores the block that was validated last and returns the time of each stage. If ctx ends
// while the state is being read, nothing is written, and the block may be validated again. After a
// failed write the ledger must be opened again.
func (l *Ledger) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	var s block.Stages
	if err := ctx.Err(); err != nil {
		return s, err
	}
	if err := l.usable(); err != nil {
		return s, err
	}
	c := &l.next
	if !c.validated || c.number() != b.Number {
		return s, fmt.Errorf("block %d: commit without validation", b.Number)
	}
	c.validated = false
	clock := time.Now()
	if err := l.applyState(ctx, c); err != nil {
		return s, err
	}
	ctx = context.WithoutCancel(ctx) // from here on it is written
	c.takeCodes()
	s.StateValidation = time.Since(clock)

	if err := l.checkKeys(c); err != nil {
		return s, fmt.Errorf("block %d: %w", b.Number, err)
	}
	clock = time.Now()
	c.previousCommit = l.commit
	l.setCommitHash(c)
	hashing := time.Since(clock)
	l.gather(c, [tables]bool{true, true, true, true})
	if err := l.write(ctx); err != nil {
		return s, fmt.Errorf("block %d: %w", b.Number, err)
	}
	l.height = b.Number.Height()
	l.follow(c)
	l.report.add(c, &l.state)
	took := &l.batch.took
	s.BlockStore = hashing + took[blockTable] + took[indexTable]
	s.StateCommit, s.HistoryCommit = took[stateTable], took[historyTable]
	return s, nil
}

// follow stores what the next block is compared with.
func (l *Ledger) follow(c *candidate) {
	l.tip, l.linked, l.commit = c.hash, !c.madeUp, c.goesOnWith()
	l.chained = c.hasCommit || !c.madeUp && !l.state.unknown && (l.chained || c.number() <= 1)
}

// goesOnWith is the commit hash that the next one depends on: the peer's, so that a difference
// concerns one block.
func (c *candidate) goesOnWith() hash {
	if c.hasCommit {
		return c.peerCommit
	}
	if c.number() == 0 {
		return hash{}
	}
	return c.commitHash
}

func (c *candidate) takeCodes() {
	c.codes = c.codes[:0]
	for i := range c.transactions {
		c.codes = append(c.codes, byte(c.transactions[i].Code))
	}
}

// gather makes the batch of the block for the tables that want it.
func (l *Ledger) gather(c *candidate, wants [tables]bool) {
	b := &l.batch
	b.reset()
	if wants[blockTable] {
		b.data = slices.Grow(b.data, 2*len(c.block.Payload)) // as a rule it is enough for all
		b.key = appendNumber(b.key[:0], uint64(c.number()))
		b.value = c.record.appendHead(b.value[:0])
		b.put(blockTable, b.key, b.value, c.block.Payload)
	}
	if wants[indexTable] {
		l.gatherIndex(c)
	}
	b.wrote(blockTable)
	if wants[stateTable] {
		l.gatherState(c)
	}
	b.wrote(stateTable)
	if wants[historyTable] {
		l.gatherHistory(c)
	}
	b.wrote(historyTable)
}

// write stores the batch. Time that the backend has not assigned counts for the block store.
func (l *Ledger) write(ctx context.Context) error {
	err := l.store.write(ctx, &l.batch)
	l.batch.wrote(blockTable)
	if err != nil {
		l.failed = err
		return err
	}
	maps.Copy(l.metadata, l.state.marked)
	return nil
}

func (l *Ledger) gatherIndex(c *candidate) {
	b := &l.batch
	b.key = appendHashKey(b.key[:0], &c.hash)
	b.value = appendNumber(b.value[:0], uint64(c.number()))
	b.put(indexTable, b.key, b.value)
	for i := range c.transactions {
		t := &c.transactions[i]
		if t.TxID == "" || c.known[i] || c.repeated[i] {
			continue // the id is the first one's
		}
		b.key = appendTransactionKey(b.key[:0], t.TxID)
		b.value = append(version{c.number(), uint32(i)}.append(b.value[:0]), c.codes[i])
		b.put(indexTable, b.key, b.value)
	}
	b.save(indexTable, c.number().Height())
}

func (l *Ledger) gatherState(c *candidate) {
	b := &l.batch
	for _, mark := range slices.Sorted(maps.Keys(l.state.marked)) {
		if !l.metadata[mark] {
			b.put(stateTable, []byte(mark))
		}
	}
	for _, i := range l.state.changed {
		s := &l.state.slots[i]
		b.key = append(b.key[:0], s.key...)
		if s.new.deleted && !l.partial() {
			b.delete(stateTable, b.key)
			continue
		}
		b.value = s.new.append(b.value[:0])
		b.put(stateTable, b.key, b.value)
	}
	b.save(stateTable, c.number().Height())
}

// gatherHistory adds the public writes of endorser transactions, as Fabric does.
func (l *Ledger) gatherHistory(c *candidate) {
	b := &l.batch
	for i := range c.transactions {
		t := &c.transactions[i]
		if t.Code != valid || t.Type != commonpb.HeaderType_ENDORSER_TRANSACTION {
			continue
		}
		for k := range t.Set.Namespaces {
			n := &t.Set.Namespaces[k]
			for _, w := range n.Writes {
				b.key = version{c.number(), uint32(i)}.append(appendHistoryPrefix(b.key[:0], n.Namespace, w.Key))
				b.put(historyTable, b.key)
			}
		}
	}
	b.save(historyTable, c.number().Height())
}

// save puts the savepoint of a table that has all blocks below a height.
func (b *batch) save(t table, height event.Height) {
	b.value = appendNumber(b.value[:0], uint64(height))
	b.put(t, savepointKey, b.value)
}
