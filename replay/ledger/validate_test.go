package ledger

import (
	"testing"

	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	"github.com/blockreel/blockreel/internal/fabric/validate"
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
	if r.Compared != 4 || r.Adopted != 1 || r.Different != 2 || len(r.Differences) != 2 {
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
