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
	// again: the block is stored, and what a commit that was broken off has not written of
	// it is written now.
	again bool
	// known: an earlier block has a transaction of the same id; repeated: an earlier
	// transaction of this one has it.
	known, repeated []bool
	// recorded are the codes that a peer gave; nil when the payload has none.
	recorded []byte
	// peerCommit is the commit hash that a peer recorded, if hasCommit; previousCommit that
	// of the block before.
	peerCommit, previousCommit hash
	hasCommit                  bool
	// adopted: why a code is the peer's.
	adopted []adoption

	// Of a block that is made up.
	room []byte
}

// An adoption is the reason why a transaction's code is the peer's and not this ledger's own.
type adoption uint8

const (
	// adoptedPolicy: it follows from policies or from membership, which are not evaluated here.
	adoptedPolicy adoption = 1 + iota
	// adoptedPast: it follows from what is older than the ledger's first block, or forgotten.
	adoptedPast
)

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

// follows reads the payload, which must be the block after the last one. That its
// transactions are those which the header hashes was checked at the peer's intake,
// as in Fabric.
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

// lookUp finds which ids have a place in the index already. An entry of this very block was
// left by a commit that was broken off.
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

// forgets: ids that were in earlier blocks of the chain may not be in the index.
func (l *Ledger) forgets() bool {
	return l.partial() || l.window > 0 && uint64(l.height) > l.window
}

// adoptPolicies takes over what a peer found of policies and membership: that a transaction
// that is good here is not, or that one with a bad endorsement is. In Fabric it comes
// before the search for ids that are twice in the block.
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

// findDuplicates flags transactions whose id is in the index, or is that of an earlier one of
// the block that is good so far. With forgets, what a peer knew of earlier ids is taken over.
// A configuration transaction takes no part (core/committer/txvalidator: markTXIdDuplicates).
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
		// Fabric looks at whether a value can be written only after this.
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

// afterLookup: codes of checks that Fabric makes after it has looked for the id in the ledger.
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

// number is the candidate's place in the chain.
func (c *candidate) number() event.BlockNum { return c.block.Number }
