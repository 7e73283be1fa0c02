package validate

import (
	"crypto/sha256"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	rwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/rwset"
)

// parts are an endorser transaction before it is put together. What is nil of the bytes is
// made of the rest when its turn comes, and then signed.
type parts struct {
	channel *commonpb.ChannelHeader
	// called is the chaincode as the channel header names it, ran as the endorsers do.
	called, ran    *peerpb.ChaincodeID
	results, event []byte
	creator, nonce []byte
	actions        int
	endorsements   []*peerpb.Endorsement

	extension, channelHeader, signatureHeader, actionHeader []byte
	proposal, proposalHash, action, response, endorsed      []byte
	payload, data, signature                                []byte
}

// maker makes transactions of channel ch1, good but for what a test spoils.
type maker struct {
	t  testing.TB
	id interface {
		Serialize() []byte
		Sign(message []byte) ([]byte, error)
	}
}

func newMaker(t testing.TB) *maker {
	t.Helper()
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		t.Fatal(err)
	}
	m, err := org.Member("user", "client")
	if err != nil {
		t.Fatal(err)
	}
	return &maker{t: t, id: m.Identity}
}

func (m *maker) marshal(message proto.Message) []byte {
	m.t.Helper()
	raw, err := proto.Marshal(message)
	if err != nil {
		m.t.Fatal(err)
	}
	return raw
}

func (m *maker) sign(message ...[]byte) []byte {
	m.t.Helper()
	signature, err := m.id.Sign(slices.Concat(message...))
	if err != nil {
		m.t.Fatal(err)
	}
	return signature
}

// writes marshals a write of one key to each of the namespaces.
func (m *maker) writes(namespaces ...string) []byte {
	set := &rwsetpb.TxReadWriteSet{}
	for _, n := range namespaces {
		public := m.marshal(&kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{{Key: "key", Value: []byte("value")}}})
		set.NsRwset = append(set.NsRwset, &rwsetpb.NsReadWriteSet{Namespace: n, Rwset: public})
	}
	return m.marshal(set)
}

// envelope makes a transaction; spoil may be nil.
func (m *maker) envelope(spoil func(*parts)) []byte {
	m.t.Helper()
	p := parts{
		channel: &commonpb.ChannelHeader{Type: int32(commonpb.HeaderType_ENDORSER_TRANSACTION), ChannelId: "ch1"},
		called:  &peerpb.ChaincodeID{Name: "basic"},
		ran:     &peerpb.ChaincodeID{Name: "basic", Version: "1.0"},
		results: m.writes("basic"),
		creator: m.id.Serialize(), nonce: identity.Nonce(), actions: 1,
		endorsements: []*peerpb.Endorsement{{Endorser: m.id.Serialize()}},
	}
	p.channel.TxId = fabric.ComputeTxID(p.nonce, p.creator)
	if spoil != nil {
		spoil(&p)
	}
	or := func(given *[]byte, made func() []byte) {
		if *given == nil {
			*given = made()
		}
	}
	or(&p.extension, func() []byte { return m.marshal(&peerpb.ChaincodeHeaderExtension{ChaincodeId: p.called}) })
	p.channel.Extension = p.extension
	or(&p.channelHeader, func() []byte { return m.marshal(p.channel) })
	or(&p.signatureHeader, func() []byte { return m.marshal(&commonpb.SignatureHeader{Creator: p.creator, Nonce: p.nonce}) })
	or(&p.actionHeader, func() []byte { return p.signatureHeader })
	or(&p.proposal, func() []byte { return m.marshal(&peerpb.ChaincodeProposalPayload{Input: []byte("input")}) })
	or(&p.proposalHash, func() []byte {
		sum := sha256.Sum256(slices.Concat(p.channelHeader, p.actionHeader, p.proposal))
		return sum[:]
	})
	or(&p.action, func() []byte {
		return m.marshal(&peerpb.ChaincodeAction{Results: p.results, Events: p.event, ChaincodeId: p.ran})
	})
	or(&p.response, func() []byte {
		return m.marshal(&peerpb.ProposalResponsePayload{ProposalHash: p.proposalHash, Extension: p.action})
	})
	for _, e := range p.endorsements {
		or(&e.Signature, func() []byte { return m.sign(p.response, e.Endorser) })
	}
	or(&p.endorsed, func() []byte {
		return m.marshal(&peerpb.ChaincodeActionPayload{
			ChaincodeProposalPayload: p.proposal,
			Action:                   &peerpb.ChaincodeEndorsedAction{ProposalResponsePayload: p.response, Endorsements: p.endorsements},
		})
	})
	or(&p.data, func() []byte {
		action := &peerpb.TransactionAction{Header: p.actionHeader, Payload: p.endorsed}
		return m.marshal(&peerpb.Transaction{Actions: slices.Repeat([]*peerpb.TransactionAction{action}, p.actions)})
	})
	or(&p.payload, func() []byte {
		return m.marshal(&commonpb.Payload{
			Header: &commonpb.Header{ChannelHeader: p.channelHeader, SignatureHeader: p.signatureHeader}, Data: p.data,
		})
	})
	or(&p.signature, func() []byte { return m.sign(p.payload) })
	return m.marshal(&commonpb.Envelope{Payload: p.payload, Signature: p.signature})
}
