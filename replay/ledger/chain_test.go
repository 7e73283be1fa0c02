package ledger

import (
	"crypto/sha256"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	rwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/rwset"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// chain makes signed blocks of channel ch1 whose transactions read and write what a test
// says.
type chain struct {
	t    testing.TB
	next uint64
	// previous is the hash of the last block's header.
	previous []byte
	// flags, if set, are put into the next block as a peer's verdicts.
	flags []byte
	// commitHash, if set, is put into the next block as a peer's.
	commitHash []byte
}

var signer = sync.OnceValues(func() (*identity.Identity, error) {
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		return nil, err
	}
	member, err := org.Member("user", "client")
	if err != nil {
		return nil, err
	}
	return member.Identity, nil
})

// tx is a transaction to be made. The zero one reads and writes nothing.
type tx struct {
	namespace string // empty: basic
	set       *kvrwsetpb.KVRWSet
	// again is the nonce of an earlier transaction, so that the id is that one's, too.
	again []byte
	// spoil changes the parts before they are put together.
	spoil func(*parts)
}

// parts of a transaction that a test may spoil.
type parts struct {
	channel     *commonpb.ChannelHeader
	response    *peerpb.ProposalResponsePayload
	results     []byte
	endorsement *peerpb.Endorsement
	// bad: there is another endorsement, whose signature is bad.
	bad      bool
	envelope *commonpb.Envelope
	actions  int
}

func reads(key string, at ...uint64) *kvrwsetpb.KVRead {
	r := &kvrwsetpb.KVRead{Key: key}
	if len(at) == 2 {
		r.Version = &kvrwsetpb.Version{BlockNum: at[0], TxNum: at[1]}
	}
	return r
}

func puts(key, value string) *kvrwsetpb.KVWrite {
	return &kvrwsetpb.KVWrite{Key: key, Value: []byte(value)}
}

func deletes(key string) *kvrwsetpb.KVWrite { return &kvrwsetpb.KVWrite{Key: key, IsDelete: true} }

// put is a transaction that writes one key unseen.
func put(key, value string) tx {
	return tx{set: &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{puts(key, value)}}}
}

func (c *chain) marshal(m proto.Message) []byte {
	c.t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		c.t.Fatal(err)
	}
	return raw
}

func (c *chain) sign(message []byte) []byte {
	c.t.Helper()
	id, err := signer()
	if err != nil {
		c.t.Fatal(err)
	}
	sig, err := id.Sign(message)
	if err != nil {
		c.t.Fatal(err)
	}
	return sig
}

func (c *chain) envelope(x tx) []byte {
	c.t.Helper()
	id, err := signer()
	if err != nil {
		c.t.Fatal(err)
	}
	if x.namespace == "" {
		x.namespace = "basic"
	}
	nonce := x.again
	if nonce == nil {
		nonce = identity.Nonce()
	}
	chaincode := &peerpb.ChaincodeID{Name: x.namespace, Version: "1.0"}
	p := parts{
		channel: &commonpb.ChannelHeader{
			Type: int32(commonpb.HeaderType_ENDORSER_TRANSACTION), ChannelId: "ch1",
			TxId:      fabric.ComputeTxID(nonce, id.Serialize()),
			Extension: c.marshal(&peerpb.ChaincodeHeaderExtension{ChaincodeId: chaincode}),
		},
		response: &peerpb.ProposalResponsePayload{}, endorsement: &peerpb.Endorsement{Endorser: id.Serialize()},
		envelope: &commonpb.Envelope{}, actions: 1,
	}
	if x.set != nil {
		p.results = c.marshal(&rwsetpb.TxReadWriteSet{NsRwset: []*rwsetpb.NsReadWriteSet{{
			Namespace: x.namespace, Rwset: c.marshal(x.set),
		}}})
	}
	spoil := x.spoil
	if spoil == nil {
		spoil = func(*parts) {}
	}
	spoil(&p)
	header := &commonpb.Header{
		ChannelHeader:   c.marshal(p.channel),
		SignatureHeader: c.marshal(&commonpb.SignatureHeader{Creator: id.Serialize(), Nonce: nonce}),
	}
	proposal := []byte("proposal")
	if p.response.ProposalHash == nil {
		sum := sha256.New()
		sum.Write(header.ChannelHeader)
		sum.Write(header.SignatureHeader)
		sum.Write(proposal)
		p.response.ProposalHash = sum.Sum(nil)
	}
	p.response.Extension = c.marshal(&peerpb.ChaincodeAction{Results: p.results, ChaincodeId: chaincode})
	response := c.marshal(p.response)
	if p.endorsement != nil && p.endorsement.Signature == nil {
		p.endorsement.Signature = c.sign(append(response[:len(response):len(response)], p.endorsement.Endorser...))
	}
	endorsed := &peerpb.ChaincodeEndorsedAction{ProposalResponsePayload: response}
	if p.endorsement != nil {
		endorsed.Endorsements = []*peerpb.Endorsement{p.endorsement}
	}
	if p.bad {
		endorsed.Endorsements = append(endorsed.Endorsements, &peerpb.Endorsement{Endorser: id.Serialize(), Signature: []byte("x")})
	}
	action := &peerpb.TransactionAction{
		Header:  header.SignatureHeader,
		Payload: c.marshal(&peerpb.ChaincodeActionPayload{ChaincodeProposalPayload: proposal, Action: endorsed}),
	}
	transaction := &peerpb.Transaction{}
	for range p.actions {
		transaction.Actions = append(transaction.Actions, action)
	}
	p.envelope.Payload = c.marshal(&commonpb.Payload{Header: header, Data: c.marshal(transaction)})
	if p.envelope.Signature == nil {
		p.envelope.Signature = c.sign(p.envelope.Payload)
	}
	return c.marshal(p.envelope)
}

// config makes a configuration transaction with an id.
func (c *chain) config(id string) []byte {
	c.t.Helper()
	creator, err := signer()
	if err != nil {
		c.t.Fatal(err)
	}
	payload := c.marshal(&commonpb.Payload{
		Header: &commonpb.Header{
			ChannelHeader:   c.marshal(&commonpb.ChannelHeader{Type: int32(commonpb.HeaderType_CONFIG), ChannelId: "ch1", TxId: id}),
			SignatureHeader: c.marshal(&commonpb.SignatureHeader{Creator: creator.Serialize(), Nonce: identity.Nonce()}),
		},
		Data: c.marshal(&commonpb.ConfigEnvelope{Config: &commonpb.Config{Sequence: 2}}),
	})
	return c.marshal(&commonpb.Envelope{Payload: payload, Signature: c.sign(payload)})
}

// block makes the next block.
func (c *chain) block(transactions ...tx) *block.Block {
	c.t.Helper()
	var envelopes [][]byte
	for _, x := range transactions {
		envelopes = append(envelopes, c.envelope(x))
	}
	return c.seal(envelopes)
}

func (c *chain) seal(envelopes [][]byte) *block.Block {
	c.t.Helper()
	sum := sha256.New()
	for _, e := range envelopes {
		sum.Write(e)
	}
	b := &commonpb.Block{
		Header: &commonpb.BlockHeader{Number: c.next, PreviousHash: c.previous, DataHash: sum.Sum(nil)},
		Data:   &commonpb.BlockData{Data: envelopes},
	}
	if c.flags != nil || c.commitHash != nil {
		b.Metadata = &commonpb.BlockMetadata{Metadata: [][]byte{nil, nil, c.flags, nil, c.marshal(&commonpb.Metadata{Value: c.commitHash})}}
		c.flags, c.commitHash = nil, nil
	}
	raw := c.marshal(b)
	view, err := fabric.ParseBlock(raw)
	if err != nil {
		c.t.Fatal(err)
	}
	h := view.HeaderHash()
	c.previous = h[:]
	c.next++
	return &block.Block{Number: event.BlockNum(view.Number), Transactions: len(envelopes), Bytes: len(raw), Payload: raw}
}

// genesis makes block 0.
func (c *chain) genesis() *block.Block {
	c.t.Helper()
	payload := c.marshal(&commonpb.Payload{
		Header: &commonpb.Header{
			ChannelHeader:   c.marshal(&commonpb.ChannelHeader{Type: int32(commonpb.HeaderType_CONFIG), ChannelId: "ch1"}),
			SignatureHeader: c.marshal(&commonpb.SignatureHeader{}),
		},
		Data: c.marshal(&commonpb.ConfigEnvelope{Config: &commonpb.Config{Sequence: 1}}),
	})
	return c.seal([][]byte{c.marshal(&commonpb.Envelope{Payload: payload})})
}
