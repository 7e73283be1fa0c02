package validate

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// malformed is no protobuf message.
var malformed = []byte{0xff}

// Each thing that can be wrong gives Fabric's code. Of two the one counts that Fabric checks
// first: the cases stand in that order, and each is tried together with all that follow it.
func TestBadTransactions(t *testing.T) {
	m := newMaker(t)
	v := validator(t, Config{Channel: "ch1"})
	cases := []struct {
		name  string
		code  Code
		spoil func(*parts)
	}{
		{"unreadable payload", peerpb.TxValidationCode_BAD_PAYLOAD, func(p *parts) { p.payload = malformed }},
		{"unreadable channel header", peerpb.TxValidationCode_BAD_COMMON_HEADER, func(p *parts) { p.channelHeader = malformed }},
		{"unreadable signature header", peerpb.TxValidationCode_BAD_COMMON_HEADER, func(p *parts) { p.signatureHeader = malformed }},
		{"a message", peerpb.TxValidationCode_BAD_COMMON_HEADER, func(p *parts) { p.channel.Type = int32(commonpb.HeaderType_MESSAGE) }},
		{"an epoch", peerpb.TxValidationCode_BAD_COMMON_HEADER, func(p *parts) { p.channel.Epoch = 1 }},
		{"no nonce", peerpb.TxValidationCode_BAD_COMMON_HEADER, func(p *parts) { p.nonce = nil }},
		{"no creator", peerpb.TxValidationCode_BAD_COMMON_HEADER, func(p *parts) { p.creator = nil }},
		{"another channel", peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE, func(p *parts) { p.channel.ChannelId = "ch2" }},
		{"no channel", peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE, func(p *parts) { p.channel.ChannelId = "" }},
		{"a stranger", peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE, func(p *parts) { p.creator = []byte("who") }},
		{"a bad signature", peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE, func(p *parts) { p.signature = m.sign([]byte("another")) }},
		{"an update", peerpb.TxValidationCode_UNSUPPORTED_TX_PAYLOAD, func(p *parts) { p.channel.Type = int32(commonpb.HeaderType_CONFIG_UPDATE) }},
		{"another id", peerpb.TxValidationCode_BAD_PROPOSAL_TXID, func(p *parts) { p.channel.TxId = "0123" }},
		{"unreadable transaction", peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION, func(p *parts) { p.data = malformed }},
		{"no action", peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION, func(p *parts) { p.actions = 0 }},
		{"two actions", peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION, func(p *parts) { p.actions = 2 }},
		{"unreadable action header", peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION, func(p *parts) { p.actionHeader = malformed }},
		{"empty action header", peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION, func(p *parts) { p.actionHeader = []byte{} }},
		{"unreadable endorsements", peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION, func(p *parts) { p.endorsed = malformed }},
		{"unreadable response", peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION, func(p *parts) { p.response = malformed }},
		{"no proposal", peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION, func(p *parts) { p.proposal = []byte{} }},
		{"another proposal", peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION, func(p *parts) { p.proposalHash = []byte("another") }},
		{"unreadable extension", peerpb.TxValidationCode_BAD_HEADER_EXTENSION, func(p *parts) { p.extension = malformed }},
		{"no chaincode action", peerpb.TxValidationCode_BAD_RESPONSE_PAYLOAD, func(p *parts) { p.action = []byte{} }},
		{"unreadable chaincode action", peerpb.TxValidationCode_BAD_RESPONSE_PAYLOAD, func(p *parts) { p.action = malformed }},
		{"unreadable results", peerpb.TxValidationCode_BAD_RWSET, func(p *parts) { p.results = malformed }},
		{"a key that is no text", peerpb.TxValidationCode_BAD_RWSET, func(p *parts) { p.results = bytes.Replace(p.results, []byte("key"), []byte("k\xffy"), 1) }},
		{"no chaincode called", peerpb.TxValidationCode_INVALID_OTHER_REASON, func(p *parts) { p.called = nil }},
		{"no chaincode ran", peerpb.TxValidationCode_INVALID_OTHER_REASON, func(p *parts) { p.ran = nil }},
		{"a chaincode without a name", peerpb.TxValidationCode_INVALID_CHAINCODE, func(p *parts) { p.called = &peerpb.ChaincodeID{} }},
		{"another chaincode", peerpb.TxValidationCode_INVALID_CHAINCODE, func(p *parts) { p.ran = &peerpb.ChaincodeID{Name: "other", Version: "1.0"} }},
		{"a chaincode without a version", peerpb.TxValidationCode_INVALID_CHAINCODE, func(p *parts) { p.ran = &peerpb.ChaincodeID{Name: "basic"} }},
		{"unreadable event", peerpb.TxValidationCode_INVALID_OTHER_REASON, func(p *parts) { p.event = malformed }},
		{"another chaincode's event", peerpb.TxValidationCode_INVALID_OTHER_REASON, func(p *parts) {
			p.event = m.marshal(&peerpb.ChaincodeEvent{ChaincodeId: "other"})
		}},
		{"a namespace twice", peerpb.TxValidationCode_ILLEGAL_WRITESET, func(p *parts) { p.results = m.writes("basic", "other", "basic") }},
		{"one of many namespaces twice", peerpb.TxValidationCode_ILLEGAL_WRITESET, func(p *parts) {
			p.results = m.writes("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "a")
		}},
		{"no endorsement", peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, func(p *parts) { p.endorsements = nil }},
		{"nothing", valid, func(*parts) {}},
	}
	for i, c := range cases {
		for _, later := range cases[i:] {
			r := v.checks.judge(m.envelope(func(p *parts) { later.spoil(p); c.spoil(p) }))
			if r.Code != c.code {
				t.Errorf("%s, and %s: %v, want %v", c.name, later.name, r.Code, c.code)
			}
			if c.code != valid && r.Set.Namespaces != nil {
				t.Errorf("%s: the set of an invalid transaction is kept", c.name)
			}
		}
	}
}

// What is no envelope, or an empty one: NIL_ENVELOPE is for one that is not there at all, which
// no block can hold.
func TestNoEnvelope(t *testing.T) {
	v := validator(t, Config{Channel: "ch1"})
	for _, c := range []struct {
		envelope []byte
		code     Code
	}{
		{malformed, peerpb.TxValidationCode_INVALID_OTHER_REASON},
		{[]byte("no envelope"), peerpb.TxValidationCode_INVALID_OTHER_REASON},
		{[]byte{}, peerpb.TxValidationCode_BAD_COMMON_HEADER},
		{[]byte{0x0a, 2, 0x0a, 0}, peerpb.TxValidationCode_BAD_COMMON_HEADER},
		{[]byte{0x0a, 3, 0x0a, 1, 0xff}, peerpb.TxValidationCode_BAD_PAYLOAD}, // a header that is no message
	} {
		if r := v.checks.judge(c.envelope); r.Code != c.code {
			t.Errorf("%x: %v, want %v", c.envelope, r.Code, c.code)
		}
	}
}

// An action has a signature header of its own, and it is that one which the proposal's hash is
// made with.
func TestActionHeader(t *testing.T) {
	m := newMaker(t)
	v := validator(t, Config{Channel: "ch1"})
	own := m.marshal(&commonpb.SignatureHeader{Creator: []byte("creator"), Nonce: []byte("nonce")})
	if r := v.checks.judge(m.envelope(func(p *parts) { p.actionHeader = own })); r.Code != valid {
		t.Errorf("an action with another header: %v", r.Code)
	}
}

// The id of a transaction is known as soon as its channel header can be read: a later one with
// that id is a duplicate.
func TestIDOfBadTransaction(t *testing.T) {
	m := newMaker(t)
	var id string
	r := validator(t, Config{}).checks.judge(m.envelope(func(p *parts) { p.signatureHeader, id = malformed, p.channel.TxId }))
	if r.TxID != id {
		t.Errorf("its id is %q, want %q", r.TxID, id)
	}
}

// Another channel's configuration is not this one's.
func TestConfiguration(t *testing.T) {
	m := newMaker(t)
	config := func(spoil func(*parts)) []byte {
		return m.envelope(func(p *parts) {
			p.channel.Type = int32(commonpb.HeaderType_CONFIG)
			p.data = m.marshal(&commonpb.ConfigEnvelope{Config: &commonpb.Config{Sequence: 3}})
			if spoil != nil {
				spoil(p)
			}
		})
	}
	v := validator(t, Config{Channel: "ch1"})
	for _, c := range []struct {
		name     string
		envelope []byte
		code     Code
	}{
		{"good", config(nil), valid},
		{"another channel's", config(func(p *parts) { p.channel.ChannelId = "ch2" }), peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE},
		{"a bad signature", config(func(p *parts) { p.signature = m.sign([]byte("another")) }), peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE},
		{"no configuration", config(func(p *parts) { p.data = []byte{} }), peerpb.TxValidationCode_INVALID_CONFIG_TRANSACTION},
	} {
		r := v.checks.judge(c.envelope)
		if r.Code != c.code || (len(r.Config) > 0) != (c.code == valid) {
			t.Errorf("%s: %v, and a configuration of %d bytes", c.name, r.Code, len(r.Config))
		}
	}
}

// Many namespaces are no more than many.
func TestManyNamespaces(t *testing.T) {
	sets := make([]fabric.NamespaceSet, 1<<17)
	for i := range sets {
		sets[i].Namespace = fmt.Append(nil, i)
	}
	if twice(sets) {
		t.Error("many namespaces, each once: twice")
	}
	sets[0].Namespace = sets[len(sets)-1].Namespace
	if !twice(sets) {
		t.Error("many namespaces, one of them twice: once")
	}
}

// A block of transactions with empty entries takes no more memory than a few times its size,
// valid or not.
func TestMemoryIsBounded(t *testing.T) {
	m := newMaker(t)
	empty := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), nil)
	for _, results := range [][]byte{
		bytes.Repeat(empty, 1<<19),
		bytes.Repeat(m.writes("basic"), 1<<15), // and a set that is good but for its namespaces
	} {
		envelope := m.envelope(func(p *parts) { p.results = results })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := (&checks{}).judge(envelope)
		runtime.ReadMemStats(&after)
		if r.Code == valid || r.Set.Namespaces != nil {
			t.Errorf("%v, and %d namespaces are kept", r.Code, len(r.Set.Namespaces))
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(32*len(envelope)) {
			t.Errorf("a transaction of %d bytes took %d", len(envelope), took)
		}
	}
}

// One bad endorsement refuses a transaction, whatever its place; that there is a good one is
// told, for those who know what the policy said.
func TestEndorsed(t *testing.T) {
	m := newMaker(t)
	v := validator(t, Config{Channel: "ch1"})
	const good, bad, stranger = 0, 1, 2
	for _, c := range []struct {
		name         string
		endorsements []int
		code         Code
		endorsed     bool
	}{
		{"good", []int{good, good}, peerpb.TxValidationCode_VALID, true},
		{"bad first", []int{bad, good}, peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, true},
		{"bad last", []int{good, bad}, peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, true},
		{"a stranger first", []int{stranger, bad, good}, peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, true},
		{"bad", []int{bad, stranger}, peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, false},
		{"none", nil, peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE, false},
	} {
		r := v.checks.judge(m.envelope(func(p *parts) {
			p.endorsements = nil
			for _, kind := range c.endorsements {
				e := &peerpb.Endorsement{Endorser: m.id.Serialize()}
				switch kind {
				case bad:
					e.Signature = m.sign([]byte("another message"))
				case stranger:
					e.Endorser = []byte("who")
				}
				p.endorsements = append(p.endorsements, e)
			}
		}))
		if r.Code != c.code || r.Endorsed != c.endorsed {
			t.Errorf("%s: %v, endorsed is %v", c.name, r.Code, r.Endorsed)
		}
		if r.Endorsed && len(r.Set.Namespaces) != 1 {
			t.Errorf("%s: the set is not there for who takes the transaction over", c.name)
		}
	}
}

// Creators and endorsers may have any kind of key that Fabric has.
func TestKeys(t *testing.T) {
	for kind, key := range fabrictest.Keys(t) {
		m := &maker{t: t, id: fabrictest.NewSigner(t, "Org1MSP", key)}
		v := validator(t, Config{Channel: "ch1"})
		if r := v.checks.judge(m.envelope(nil)); r.Code != valid {
			t.Errorf("%s: %v", kind, r.Code)
		}
		r := v.checks.judge(m.envelope(func(p *parts) { p.signature = m.sign([]byte("another message")) }))
		if r.Code != peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE || r.Endorsed {
			t.Errorf("%s: a bad signature is %v, endorsed is %v", kind, r.Code, r.Endorsed)
		}
		r = v.checks.judge(m.envelope(func(p *parts) { p.endorsements[0].Signature = m.sign([]byte("another message")) }))
		if r.Code != peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE || r.Endorsed {
			t.Errorf("%s: a bad endorsement is %v, endorsed is %v", kind, r.Code, r.Endorsed)
		}
	}
}
