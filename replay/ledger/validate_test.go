package ledger

import (
	"testing"

	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	"github.com/blockreel/blockreel/internal/fabric/validate"
	"github.com/blockreel/blockreel/traces/event"
)

// Each thing that can be wrong with a transaction makes it, and not its block, invalid, with
// Fabric's code.
func TestBadTransactions(t *testing.T) {
	nonce := identity.Nonce()
	spoiled := func(spoil func(*parts)) tx {
		x := put("key", "value")
		x.spoil = spoil
		return x
	}
	cases := []struct {
		name string
		tx   tx
		want validate.Code
	}{
		{"good", tx{again: nonce}, peerpb.TxValidationCode_VALID},
		{"the same id", tx{again: nonce}, peerpb.TxValidationCode_DUPLICATE_TXID},
		{"the same id, without a chaincode", tx{again: nonce, spoil: func(p *parts) { p.channel.Extension = nil }}, peerpb.TxValidationCode_INVALID_OTHER_REASON},
		{"another id", spoiled(func(p *parts) { p.channel.TxId = "0123" }), peerpb.TxValidationCode_BAD_PROPOSAL_TXID},
		{"another channel", spoiled(func(p *parts) { p.channel.ChannelId = "ch2" }), peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE},
		{"no channel", spoiled(func(p *parts) { p.channel.ChannelId = "" }), peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE},
		{"a message", spoiled(func(p *parts) { p.channel.Type = int32(commonpb.HeaderType_MESSAGE) }), peerpb.TxValidationCode_BAD_COMMON_HEADER},
		{"an update", spoiled(func(p *parts) { p.channel.Type = int32(commonpb.HeaderType_CONFIG_UPDATE) }), peerpb.TxValidationCode_UNSUPPORTED_TX_PAYLOAD},
		{"another's signature", spoiled(func(p *parts) { p.envelope.Signature = []byte{0x30, 6, 2, 1, 1, 2, 1, 1} }), peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE},
		{"two actions", spoiled(func(p *parts) { p.actions = 2 }), peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION},
		{"no action", spoiled(func(p *parts) { p.actions = 0 }), peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION},
		{"another proposal", spoiled(func(p *parts) { p.response.ProposalHash = []byte("other") }), peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION},
		{"no endorsement", spoiled(func(p *parts) { p.endorsement = nil }), peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE},
		{"a bad endorsement", spoiled(func(p *parts) { p.endorsement.Signature = []byte("x") }), peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE},
		{"a stranger", spoiled(func(p *parts) { p.endorsement.Endorser = []byte("who") }), peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE},
		{"no chaincode", spoiled(func(p *parts) { p.channel.Extension = nil }), peerpb.TxValidationCode_INVALID_OTHER_REASON},
		{"bad results", spoiled(func(p *parts) { p.results = []byte{0xff} }), peerpb.TxValidationCode_BAD_RWSET},
		{"a namespace twice", spoiled(func(p *parts) { p.results = append(p.results, p.results...) }), peerpb.TxValidationCode_ILLEGAL_WRITESET},
		{"good at the end", tx{}, peerpb.TxValidationCode_VALID},
	}
	l := open(t, Memory, Config{Channel: "ch1", Validators: 3})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	wantCodes(t, l, 0, 0)
	var all []tx
	var want []byte
	for _, c := range cases {
		all, want = append(all, c.tx), append(want, byte(c.want))
	}
	envelopes := [][]byte{nil, []byte("no envelope")}
	for _, x := range all {
		envelopes = append(envelopes, c.envelope(x))
	}
	commit(t, l, c.seal(envelopes))
	wantCodes(t, l, 1, append([]byte{byte(peerpb.TxValidationCode_BAD_COMMON_HEADER), byte(peerpb.TxValidationCode_INVALID_OTHER_REASON)}, want...)...)
	for i, c := range cases {
		if got := l.next.codes[i+2]; got != byte(c.want) {
			t.Errorf("%s: %v, want %v", c.name, validate.Code(got), c.want)
		}
	}
	if _, err := l.State(t.Context(), "basic", "key"); err == nil {
		t.Error("a transaction that is not valid has written")
	}
	// Fabric looks for the id in the ledger before it looks at the chaincode.
	commit(t, l, c.block(tx{again: nonce}, tx{again: nonce, spoil: func(p *parts) { p.channel.Extension = nil }}))
	wantCodes(t, l, 2, byte(peerpb.TxValidationCode_DUPLICATE_TXID), byte(peerpb.TxValidationCode_DUPLICATE_TXID))
	check(t, l)
}

// What differs from the peer's verdicts is reported; what cannot be judged here is taken
// over.
func TestDifferences(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1"})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	policy := byte(peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE)
	c.flags = []byte{0, policy, mvcc11, 0}
	bad := put("d", "1")
	bad.spoil = func(p *parts) { p.envelope.Signature = []byte("x") }
	commit(t, l, c.block(put("a", "1"), put("b", "1"), put("c", "1"), bad))
	wantCodes(t, l, 1, 0, policy, 0, byte(peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE))
	r := l.Report()
	if r.Compared != 3 || r.AdoptedPolicies != 1 || r.Different != 2 || len(r.Differences) != 2 {
		t.Fatalf("report %+v", r)
	}
	const want = "block 1, transaction 2: VALID here, MVCC_READ_CONFLICT at the peer"
	if got := r.Differences[0].String(); got != want {
		t.Errorf("the first difference is %q, want %q", got, want)
	}
	if _, err := l.State(t.Context(), "basic", "b"); err == nil {
		t.Error("what the peer's policy refused has been written")
	}
}

// An id that is twice in a block counts as such among those transactions alone that a peer
// found good before it looked.
func TestDuplicatesAfterPolicies(t *testing.T) {
	const (
		policy    = byte(peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE)
		expired   = byte(peerpb.TxValidationCode_EXPIRED_CHAINCODE)
		creator   = byte(peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE)
		writeset  = byte(peerpb.TxValidationCode_INVALID_WRITESET)
		duplicate = byte(peerpb.TxValidationCode_DUPLICATE_TXID)
	)
	l := open(t, Memory, Config{Channel: "ch1"})
	c := &chain{t: t}
	same := func(nonce []byte) tx {
		x := put("key", "value")
		x.again = nonce
		return x
	}
	a, b := identity.Nonce(), identity.Nonce()
	commit(t, l, c.genesis())
	c.flags = []byte{policy, 0, duplicate, writeset, duplicate}
	commit(t, l, c.block(same(a), same(a), same(a), same(b), same(b)))
	wantCodes(t, l, 1, policy, 0, duplicate, writeset, duplicate)
	if r := l.Report(); r.Different != 0 || r.AdoptedPolicies != 2 || r.Compared != 3 {
		t.Errorf("report %+v", r)
	}
	// What a peer finds after it has looked for the id cannot be its verdict on one that is
	// there; what it finds before can.
	c.flags = []byte{expired, creator, duplicate}
	commit(t, l, c.block(same(a), same(a), same(b)))
	wantCodes(t, l, 2, duplicate, creator, duplicate)
	if r := l.Report(); r.Different != 1 || r.AdoptedPolicies != 3 || r.Compared != 5 {
		t.Errorf("report %+v", r)
	}
	check(t, l)
}

// Where earlier ids are not in the index, a peer's word on them is taken.
func TestForgottenIDs(t *testing.T) {
	const duplicate = byte(peerpb.TxValidationCode_DUPLICATE_TXID)
	for spec, first := range map[string]event.BlockNum{"memory": 5, "memory:blocks=1": 0, "memory:blocks=300": 0} {
		l := open(t, spec, Config{Channel: "ch1", First: first})
		c := &chain{t: t, next: uint64(first)}
		nonce := identity.Nonce()
		if first == 0 {
			commit(t, l, c.genesis())
			commit(t, l, c.block(tx{again: nonce}))
			commit(t, l, c.block())
		}
		bad := tx{spoil: func(p *parts) { p.endorsement.Signature = []byte("x") }}
		c.flags = []byte{duplicate, duplicate, 0, duplicate}
		n := event.BlockNum(c.next)
		commit(t, l, c.block(tx{again: nonce}, bad, put("a", "1"), tx{spoil: func(p *parts) { p.envelope.Signature = []byte("x") }}))
		want, adopted := duplicate, int64(2)
		if spec == "memory:blocks=300" { // has them all
			want, adopted = byte(peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE), 0
		}
		wantCodes(t, l, n, duplicate, want, 0, byte(peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE))
		if r := l.Report(); r.AdoptedPast != adopted {
			t.Errorf("%s from %d: %d codes adopted, want %d", spec, first, r.AdoptedPast, adopted)
		}
		check(t, l)
	}
}

// A policy may accept a transaction without the endorsement that is bad: the peer knows.
func TestOneBadEndorsement(t *testing.T) {
	const policy = byte(peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE)
	doubtful := func(key string) tx {
		return tx{
			set:   &kvrwsetpb.KVRWSet{Reads: []*kvrwsetpb.KVRead{reads(key)}, Writes: []*kvrwsetpb.KVWrite{puts(key, "1")}},
			spoil: func(p *parts) { p.bad = true },
		}
	}
	none := doubtful("d")
	none.spoil = func(p *parts) { p.endorsement.Signature = []byte("x") }
	l := open(t, Memory, Config{Channel: "ch1"})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	c.flags = []byte{0, mvcc11, policy, 0, 0}
	commit(t, l, c.block(doubtful("a"), doubtful("a"), doubtful("b"), none, doubtful("a")))
	wantCodes(t, l, 1, 0, mvcc11, policy, policy, mvcc11)
	if r := l.Report(); r.AdoptedPolicies != 2 || r.Compared != 3 || r.Different != 2 {
		t.Errorf("report %+v", r)
	}
	if v, err := l.State(t.Context(), "basic", "a"); err != nil || v.Transaction != 0 {
		t.Errorf("a is %+v, %v", v, err)
	}
	commit(t, l, c.block(doubtful("e")))
	wantCodes(t, l, 2, policy) // nobody knows
	check(t, l)
}

// The index has the first transaction of an id, be it a configuration.
func TestConfigurationIDs(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1"})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	commit(t, l, c.seal([][]byte{c.config("twice")}))
	commit(t, l, c.seal([][]byte{c.config("twice"), c.config("other"), c.config("other")}))
	wantCodes(t, l, 2, 0, 0, 0)
	for id, want := range map[string]Location{"twice": {Block: 1}, "other": {Block: 2, Transaction: 1}} {
		if at, err := l.Transaction(t.Context(), id); err != nil || at != want {
			t.Errorf("%s is at %+v, %v, want %+v", id, at, err, want)
		}
	}
	check(t, l)
}

// A channel's configuration is in the state, where Fabric has it, and not in the history.
func TestConfiguration(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1"})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	v, err := l.State(t.Context(), "", string(channelConfigKey))
	if err != nil || len(v.Value) == 0 {
		t.Errorf("configuration %q, %v", v.Value, err)
	}
	err = l.History(t.Context(), "", string(channelConfigKey), func(Value) bool { t.Error("it has a history"); return true })
	if err != nil {
		t.Error(err)
	}
}
