package ledger

import (
	"bytes"
	"context"
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric/validate"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// StoredBlock is a block as the ledger stores it.
type StoredBlock struct {
	block.Block
	// MadeUp: the trace had no payload, and this is not a marshalled block.
	MadeUp bool
	// Hash of the block's header.
	Hash     [32]byte
	Contents []Transaction
}

// A Transaction is one of a stored block, with the public reads and writes that it asked for.
type Transaction struct {
	ID string
	// Type is Fabric's name of its type, such as ENDORSER_TRANSACTION.
	Type string
	// Code is this ledger's verdict. Only the writes of a Valid transaction are in the state.
	Code    Code
	Reads   []Read
	Queries []RangeQuery
	Writes  []Write
}

// Code is Fabric's validation code of a transaction.
type Code = validate.Code

// Valid is the Code of a transaction whose writes count.
const Valid = valid

// Read is a key that a transaction has read.
type Read struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	// Version is the block and the transaction that wrote its value; nil if it had none.
	Version *[2]uint64 `json:"version,omitempty"`
}

// RangeQuery is a range of keys that a transaction has read, from Start up to and without End.
type RangeQuery struct {
	Namespace string `json:"namespace"`
	Start     string `json:"start_key"`
	End       string `json:"end_key"`
}

// Write is a new value of a key, or its deletion.
type Write struct {
	Namespace, Key string
	Value          []byte
	Delete         bool
}

func describe(r *validate.Result) Transaction {
	t := Transaction{ID: r.TxID, Type: r.Type.String(), Code: r.Code, Reads: []Read{}, Queries: []RangeQuery{}, Writes: []Write{}}
	for _, n := range r.Set.Namespaces {
		namespace := string(n.Namespace)
		for _, r := range n.Reads {
			read := Read{Namespace: namespace, Key: string(r.Key)}
			if r.Exists {
				read.Version = &[2]uint64{r.Version.Block, r.Version.Transaction}
			}
			t.Reads = append(t.Reads, read)
		}
		for _, q := range n.Queries {
			t.Queries = append(t.Queries, RangeQuery{namespace, string(q.StartKey), string(q.EndKey)})
		}
		for _, w := range n.Writes {
			t.Writes = append(t.Writes, Write{namespace, string(w.Key), w.Value, w.Delete})
		}
	}
	return t
}

// Block returns a stored block with its payload. The memory ledger has only the last blocks.
func (l *Ledger) Block(ctx context.Context, n event.BlockNum) (StoredBlock, error) {
	if err := l.usable(); err != nil {
		return StoredBlock{}, err
	}
	if event.Height(n) >= l.height {
		return StoredBlock{}, fmt.Errorf("block %d: %w", n, ErrNotFound)
	}
	c, err := l.stored(ctx, n)
	if err != nil {
		return StoredBlock{}, err
	}
	b := StoredBlock{Block: c.block, MadeUp: c.madeUp, Hash: c.hash}
	for i := range c.transactions {
		b.Contents = append(b.Contents, describe(&c.transactions[i]))
	}
	return b, nil
}

// stored reads a stored block and its transactions.
func (l *Ledger) stored(ctx context.Context, n event.BlockNum) (c candidate, err error) {
	r, err := l.record(ctx, n)
	if err == nil {
		err = l.reread(&c, r)
	}
	return c, err
}

// Verdict returns the validation codes of the last committed block, which are good until the next
// Validate, and its commit hash.
func (l *Ledger) Verdict() (codes []byte, commitHash [32]byte) {
	return l.next.codes, l.next.commitHash
}

// CommitHash returns the commit hash of the last committed block. It is not ok if the hash depends
// on blocks that are not here, or if the block carries a peer's: see Report.
func (l *Ledger) CommitHash() (h [32]byte, ok bool) {
	c := &l.next
	return c.commitHash, l.chained && !c.hasCommit && c.number() > 0
}

// BlockByHash returns the block whose header has this hash.
func (l *Ledger) BlockByHash(ctx context.Context, sum [32]byte) (StoredBlock, error) {
	if err := l.usable(); err != nil {
		return StoredBlock{}, err
	}
	value, ok, err := l.get(ctx, indexTable, appendHashKey(nil, &sum))
	if err != nil {
		return StoredBlock{}, fmt.Errorf("block with hash %x: %w", sum, err)
	}
	n, whole := number(value)
	if !ok || !whole {
		return StoredBlock{}, fmt.Errorf("block with hash %x: %w", sum, ErrNotFound)
	}
	return l.Block(ctx, event.BlockNum(n))
}

// Location is where a transaction is.
type Location struct {
	Block       event.BlockNum
	Transaction int
	Code        Code
}

// Transaction finds a transaction by its id: the first one that had it.
func (l *Ledger) Transaction(ctx context.Context, id string) (Location, error) {
	if err := l.usable(); err != nil {
		return Location{}, err
	}
	value, ok, err := l.get(ctx, indexTable, appendTransactionKey(nil, id))
	if err == nil && (!ok || len(value) != locationSize) {
		err = ErrNotFound
	}
	if err != nil {
		return Location{}, fmt.Errorf("transaction %q: %w", id, err)
	}
	v := versionOf(value)
	return Location{v.block, int(v.transaction), Code(value[placeSize])}, nil
}

// Value is a value of a key.
type Value struct {
	// Block and Transaction are its version.
	Block       event.BlockNum
	Transaction int
	// TxID is set by History alone.
	TxID    string
	Deleted bool
	Value   []byte
	// Metadata are the marshalled entries, set by State alone.
	Metadata []byte
}

// State returns the newest value of a key. The memory ledger has only values that the last blocks
// wrote.
func (l *Ledger) State(ctx context.Context, namespace, key string) (Value, error) {
	if err := l.usable(); err != nil {
		return Value{}, err
	}
	raw, ok, err := l.get(ctx, stateTable, appendStateKey(nil, namespace, key))
	if err != nil {
		return Value{}, fmt.Errorf("state of %s %q: %w", namespace, key, err)
	}
	s, whole := decodeState(raw)
	switch {
	case ok && !whole:
		return Value{}, fmt.Errorf("state of %s %q: it is damaged", namespace, key)
	case !ok || s.deleted || s.unknown:
		return Value{}, fmt.Errorf("state of %s %q: %w", namespace, key, ErrNotFound)
	case s.forgotten:
		return Value{}, fmt.Errorf("state of %s %q: block %d wrote it, and a ledger in memory keeps only the values of the last %d blocks; "+
			"use memory:blocks= with a larger number, or a ledger in files", namespace, key, s.version.block, l.window)
	}
	return Value{
		Block: s.version.block, Transaction: int(s.version.transaction), Value: s.value, Metadata: s.metadata,
	}, nil
}

// historyPage is how many changes of a key are looked up at once.
const historyPage = 256

// History calls each with the values of a key, oldest first, until it returns false.
func (l *Ledger) History(ctx context.Context, namespace, key string, each func(Value) bool) error {
	if err := l.usable(); err != nil {
		return err
	}
	prefix := appendHistoryPrefix(nil, namespace, key)
	from := bytes.Clone(prefix)
	to := append(bytes.Clone(prefix), bytes.Repeat([]byte{0xff}, placeSize+1)...)
	for {
		var page []version
		err := l.store.scan(ctx, historyTable, from, to, func(k, _ []byte) bool {
			if len(k) == len(prefix)+placeSize {
				page = append(page, versionOf(k[len(prefix):]))
			}
			return len(page) < historyPage
		})
		if err != nil {
			return fmt.Errorf("history of %s %q: %w", namespace, key, err)
		}
		for _, v := range page {
			value, err := l.written(ctx, namespace, key, v)
			if err != nil {
				return fmt.Errorf("history of %s %q: %w", namespace, key, err)
			}
			if !each(value) {
				return nil
			}
		}
		if len(page) < historyPage {
			return nil
		}
		from = append(page[len(page)-1].append(bytes.Clone(prefix)), 0)
	}
}

// written finds the write of a key in its block. The last one of the transaction counts.
func (l *Ledger) written(ctx context.Context, namespace, key string, at version) (Value, error) {
	c, err := l.stored(ctx, at.block)
	if err != nil {
		return Value{}, err
	}
	if int(at.transaction) >= len(c.transactions) {
		return Value{}, fmt.Errorf("block %d has no transaction %d", at.block, at.transaction)
	}
	t := &c.transactions[at.transaction]
	v := Value{Block: at.block, Transaction: int(at.transaction), TxID: t.TxID}
	found := false
	for _, n := range t.Set.Namespaces {
		if string(n.Namespace) != namespace {
			continue
		}
		for _, w := range n.Writes {
			if string(w.Key) == key {
				found, v.Deleted, v.Value = true, w.Delete, w.Value
			}
		}
	}
	if !found {
		return Value{}, fmt.Errorf("block %d, transaction %d does not write it: the history is damaged", at.block, at.transaction)
	}
	return v, nil
}
