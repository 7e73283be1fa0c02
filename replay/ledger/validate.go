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

// A candidate is a block between its validation and its commit.
type candidate struct {
	record
	validated    bool
	transactions []validate.Result
	// again: an interrupted commit of the block is completed.
	again bool
	// known: an earlier block has a transaction of the same id; repeated: an earlier transaction of
	// this block.
	known, repeated []bool
	// recorded are the codes of the peer, or nil.
	recorded []byte
	// peerCommit is the peer's commit hash, if hasCommit; previousCommit that of the block before.
	peerCommit, previousCommit hash
	hasCommit                  bool
	// adopted: why a code is the peer's.
	adopted []adoption

	// room has the payload of a made-up block.
	room []byte
}

// An adoption is the reason why a code is the peer's.
type adoption uint8

const (
	// adoptedPolicy: it depends on policies or membership.
	adoptedPolicy adoption = 1 + iota
	// adoptedPast: it depends on what is older than the ledger, or forgotten.
	adoptedPast
)

const valid = peerpb.TxValidationCode_VALID

// channelConfigKey is the key of the channel's configuration, in the empty namespace
// (core/peer/configtx_processor.go).
var channelConfigKey = []byte("resourcesconfigtx.CHANNEL_CONFIG_KEY")

// Validate checks the next block, and keeps b.Payload until Commit returns. It returns an error if
// the block is not the next of its channel, and none for invalid transactions.
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
	if err := l.lookUp(ctx, c); err != nil {
		return fmt.Errorf("block %d: transaction index: %w", b.Number, err)
	}
	c.adopted = append(c.adopted, make([]adoption, len(c.transactions))...)
	c.adoptPolicies()
	c.findDuplicates(l.forgets())
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
		transactions: c.transactions[:0], known: c.known[:0], repeated: c.repeated[:0], adopted: c.adopted[:0], room: c.room,
	}
}

// follows reads the payload, which must be the next block. Its data hash was checked at the peer's
// intake, as in Fabric.
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

// take sets what the block itself contains.
func (c *candidate) take(view *fabric.Block) {
	c.block.Transactions, c.block.Bytes = view.Transactions, len(view.Raw)
	c.hash = view.HeaderHash()
	c.recorded = view.Flags()
	c.peerCommit, c.hasCommit = peerCommitHash(view)
}

// lookUp finds ids that the index already has. An entry of this block was left by an interrupted
// commit.
func (l *Ledger) lookUp(ctx context.Context, c *candidate) error {
	c.known = append(c.known, make([]bool, len(c.transactions))...)
	c.repeated = append(c.repeated, make([]bool, len(c.transactions))...)
	keys, room := l.keys[:0], l.room[:0]
	var at []int
	seen := make(map[string]bool, len(c.transactions))
	for i := range c.transactions {
		id := c.transactions[i].TxID
		if id == "" {
			continue
		}
		c.repeated[i] = seen[id]
		seen[id] = true
		from := len(room)
		room = appendTransactionKey(room, id)
		keys = append(keys, room[from:])
		at = append(at, i)
	}
	l.keys, l.room = keys, room
	return l.store.read(ctx, indexTable, keys, func(i int, value []byte) {
		c.known[at[i]] = len(value) != locationSize || versionOf(value).block != c.number()
	})
}

// forgets: the index may lack ids of earlier blocks.
func (l *Ledger) forgets() bool {
	return l.partial() || l.window > 0 && uint64(l.height) > l.window
}

// adoptPolicies takes over the peer's verdicts that depend on policies and membership: that a good
// transaction is refused, or one with a bad endorsement accepted. In Fabric this precedes the
// search for duplicate ids.
func (c *candidate) adoptPolicies() {
	if c.recorded == nil {
		return
	}
	for i := range c.transactions {
		t, peer := &c.transactions[i], validate.Code(c.recorded[i])
		badEndorsement := t.Code == peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE && t.Endorsed
		switch {
		case t.Code == peer || t.Code != valid && !badEndorsement:
		case validate.Unknowable(peer):
			t.Code, c.adopted[i] = peer, adoptedPolicy
		case badEndorsement && afterPolicies(peer):
			t.Code, c.adopted[i] = valid, adoptedPolicy
		}
	}
}

// afterPolicies: verdicts on a transaction that satisfies its policies.
func afterPolicies(c validate.Code) bool {
	switch c {
	case valid, peerpb.TxValidationCode_DUPLICATE_TXID,
		peerpb.TxValidationCode_MVCC_READ_CONFLICT, peerpb.TxValidationCode_PHANTOM_READ_CONFLICT:
		return true
	}
	return false
}

// findDuplicates marks transactions whose id is in the index, or is that of an earlier good one of
// the block. A configuration transaction takes no part (core/committer/txvalidator:
// markTXIdDuplicates).
func (c *candidate) findDuplicates(forgets bool) {
	taken := map[string]bool{} // the repeated ids that a good transaction has
	for i, again := range c.repeated {
		if again {
			taken[c.transactions[i].TxID] = false
		}
	}
	for i := range c.transactions {
		t := &c.transactions[i]
		if t.TxID == "" || t.Type == commonpb.HeaderType_CONFIG {
			continue
		}
		// Fabric checks for writable values later.
		good := t.Code == valid || t.Code == peerpb.TxValidationCode_INVALID_WRITESET
		lookedUp := t.Code == valid || afterLookup(t.Code)
		switch {
		case c.known[i] && lookedUp:
			t.Code, c.adopted[i] = peerpb.TxValidationCode_DUPLICATE_TXID, 0
		case good && taken[t.TxID]:
			t.Code = peerpb.TxValidationCode_DUPLICATE_TXID
		case forgets && lookedUp && c.recorded != nil && c.recorded[i] == byte(peerpb.TxValidationCode_DUPLICATE_TXID):
			t.Code, c.adopted[i] = peerpb.TxValidationCode_DUPLICATE_TXID, adoptedPast
		case good:
			if _, ok := taken[t.TxID]; ok {
				taken[t.TxID] = true
			}
		}
	}
}

// afterLookup: codes of checks after Fabric's search for the id in the ledger.
func afterLookup(c validate.Code) bool {
	switch c {
	case peerpb.TxValidationCode_BAD_HEADER_EXTENSION, peerpb.TxValidationCode_BAD_RESPONSE_PAYLOAD,
		peerpb.TxValidationCode_INVALID_OTHER_REASON, peerpb.TxValidationCode_INVALID_CHAINCODE,
		peerpb.TxValidationCode_BAD_RWSET, peerpb.TxValidationCode_ILLEGAL_WRITESET,
		peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, peerpb.TxValidationCode_EXPIRED_CHAINCODE,
		peerpb.TxValidationCode_CHAINCODE_VERSION_CONFLICT, peerpb.TxValidationCode_INVALID_WRITESET:
		return true
	}
	return false
}

// complete sets what follows from the transactions.
func (c *candidate) complete() {
	c.block.Writes = 0
	for i := range c.transactions {
		t := &c.transactions[i]
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

func (c *candidate) number() event.BlockNum { return c.block.Number }
