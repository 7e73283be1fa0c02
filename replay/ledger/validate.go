package ledger

import (
	"bytes"
	"context"
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	"github.com/blockreel/blockreel/internal/fabric/validate"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// A candidate is a block that is read and validated, and not committed yet.
type candidate struct {
	record
	validated    bool
	transactions []validate.Result
	// known: the transaction's id has a place in the ledger already.
	known []bool
	// recorded are the codes that a peer gave; nil when the payload has none.
	recorded []byte
	// peerCommit is the commit hash that a peer recorded, if hasCommit; previousCommit that
	// of the block before.
	peerCommit, previousCommit hash
	hasCommit                  bool
	// adopted: the code is the peer's, since this ledger cannot judge it.
	adopted []bool

	// Of a block that is made up.
	room []byte
}

const valid = peerpb.TxValidationCode_VALID

// channelConfigKey is where Fabric keeps the channel's configuration in the state, under
// the empty namespace (core/peer/configtx_processor.go).
var channelConfigKey = []byte("resourcesconfigtx.CHANNEL_CONFIG_KEY")

// Validate checks the next block. It keeps b.Payload until Commit returns. A block that
// is not the next of its channel is an error; a transaction that is not valid is not.
func (l *Ledger) Validate(ctx context.Context, b *block.Block) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.wants(b); err != nil {
		return err
	}
	c := &l.next
	c.begin(b)
	if c.madeUp {
		l.makeUp(c)
	} else {
		view, err := l.follows(b)
		if err != nil {
			return err
		}
		c.take(&view)
		c.transactions = l.validator.Block(&view, c.transactions)
	}
	if err := l.findDuplicates(ctx, c); err != nil {
		return fmt.Errorf("block %d: transaction index: %w", b.Number, err)
	}
	c.complete()
	c.validated = true
	return nil
}

func (c *candidate) begin(b *block.Block) {
	clear(c.transactions)
	if cap(c.room) > keepBatch {
		c.room = nil
	}
	*c = candidate{
		record:       record{block: *b, madeUp: b.Payload == nil, codes: c.codes[:0]},
		transactions: c.transactions[:0], known: c.known[:0], adopted: c.adopted[:0], room: c.room,
	}
}

// follows reads the payload, which must be the block after the last one. That its
// transactions are those which the header hashes was checked at the peer's intake,
// as in Fabric; Check does it too.
func (l *Ledger) follows(b *block.Block) (fabric.Block, error) {
	view, err := fabric.ParseBlock(b.Payload)
	switch {
	case err != nil:
		return view, fmt.Errorf("block %d: %w", b.Number, err)
	case view.Number != uint64(b.Number):
		return view, fmt.Errorf("block %d: its payload is block %d", b.Number, view.Number)
	case view.Transactions > MaxBlockTransactions:
		return view, fmt.Errorf("block %d: %d transactions, more than %d", b.Number, view.Transactions, MaxBlockTransactions)
	case l.linked && !bytes.Equal(view.PreviousHash, l.tip[:]):
		return view, fmt.Errorf("block %d: %w: the ledger has another block %d", b.Number, fabric.ErrFork, b.Number-1)
	}
	return view, nil
}

// take sets what the block itself tells.
func (c *candidate) take(view *fabric.Block) {
	c.block.Transactions, c.block.Bytes = view.Transactions, len(view.Raw)
	c.hash = view.HeaderHash()
	c.recorded = view.Flags()
	c.peerCommit, c.hasCommit = peerCommitHash(view)
}

// findDuplicates flags transactions whose id is in the index, or earlier in the block. An
// entry of this very block was left by a commit that was broken off.
func (l *Ledger) findDuplicates(ctx context.Context, c *candidate) error {
	c.known = append(c.known, make([]bool, len(c.transactions))...)
	keys, room := l.rooms.keys[:0], l.rooms.key[:0]
	var at []int
	for i, t := range c.transactions {
		if t.TxID == "" || t.Type == commonpb.HeaderType_CONFIG {
			continue
		}
		from := len(room)
		room = appendTransactionKey(room, t.TxID)
		keys = append(keys, room[from:])
		at = append(at, i)
	}
	l.rooms.keys, l.rooms.key = keys, room
	err := l.store.read(ctx, indexTable, keys, func(i int, value []byte) {
		c.known[at[i]] = len(value) != locationSize || versionOf(value).block != c.number()
	})
	if err != nil {
		return err
	}
	valids := make(map[string]bool, len(at)) // by id: whether a valid one has it
	for _, i := range at {
		t := &c.transactions[i]
		taken, before := valids[t.TxID]
		switch {
		case c.known[i] && (t.Code == valid || afterLookup(t.Code)), taken && t.Code == valid:
			t.Code = peerpb.TxValidationCode_DUPLICATE_TXID
		}
		c.known[i] = c.known[i] || before
		valids[t.TxID] = taken || t.Code == valid
	}
	return nil
}

// afterLookup: codes of checks that Fabric makes after it has looked for the id in the ledger.
func afterLookup(c validate.Code) bool {
	switch c {
	case peerpb.TxValidationCode_BAD_HEADER_EXTENSION, peerpb.TxValidationCode_BAD_RESPONSE_PAYLOAD,
		peerpb.TxValidationCode_INVALID_OTHER_REASON, peerpb.TxValidationCode_INVALID_CHAINCODE,
		peerpb.TxValidationCode_BAD_RWSET, peerpb.TxValidationCode_ILLEGAL_WRITESET,
		peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE:
		return true
	}
	return false
}

// complete takes over what this ledger cannot judge, and sets what follows from the
// transactions.
func (c *candidate) complete() {
	c.block.Writes = 0
	for i := range c.transactions {
		t := &c.transactions[i]
		adopt := c.recorded != nil && t.Code == valid && validate.Unknowable(validate.Code(c.recorded[i]))
		if adopt {
			t.Code = validate.Code(c.recorded[i])
		}
		c.adopted = append(c.adopted, adopt)
		if t.Type == commonpb.HeaderType_CONFIG && len(t.Config) > 0 {
			t.Set = fabric.ReadWriteSet{Namespaces: []fabric.NamespaceSet{{
				Writes: []fabric.Write{{Key: channelConfigKey, Value: t.Config}},
			}}}
		}
		for _, n := range t.Set.Namespaces {
			c.block.Writes += len(n.Writes)
		}
	}
	c.block.Writes = min(c.block.Writes, MaxBlockWrites)
}

// number is the candidate's place in the chain.
func (c *candidate) number() event.BlockNum { return c.block.Number }
