package mint

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	rwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/rwset"
)

// marshaler marshals until something fails.
type marshaler struct{ err error }

func (m *marshaler) marshal(message proto.Message) []byte {
	if m.err != nil {
		return nil
	}
	var raw []byte
	raw, m.err = proto.Marshal(message)
	return raw
}

func (m *marshaler) sign(id *identity.Identity, message []byte) []byte {
	if m.err != nil {
		return nil
	}
	var signature []byte
	signature, m.err = id.Sign(message)
	return signature
}

// header makes the headers of an envelope.
func (b *Builder) header(m *marshaler, kind commonpb.HeaderType, txID string, nonce, extension []byte) *commonpb.Header {
	return &commonpb.Header{
		ChannelHeader: m.marshal(&commonpb.ChannelHeader{
			Type: int32(kind), Timestamp: timestamppb.Now(), ChannelId: b.config.Channel, TxId: txID, Extension: extension,
		}),
		SignatureHeader: m.marshal(&commonpb.SignatureHeader{Creator: b.config.Client.Serialize(), Nonce: nonce}),
	}
}

// sign makes an endorser transaction with this many writes and this many bytes of values
// (of arguments, if it writes nothing).
func (b *Builder) sign(writes, padding int) ([]byte, error) {
	var m marshaler
	nonce := identity.Nonce()
	called := &peerpb.ChaincodeID{Name: chaincode}
	header := b.header(&m, commonpb.HeaderType_ENDORSER_TRANSACTION,
		fabric.ComputeTxID(nonce, b.config.Client.Serialize()), nonce,
		m.marshal(&peerpb.ChaincodeHeaderExtension{ChaincodeId: called}))

	args := [][]byte{[]byte("put")}
	if writes == 0 {
		args = [][]byte{[]byte("read"), text(padding)}
	}
	proposal := m.marshal(&peerpb.ChaincodeProposalPayload{Input: m.marshal(&peerpb.ChaincodeInvocationSpec{
		ChaincodeSpec: &peerpb.ChaincodeSpec{
			Type: peerpb.ChaincodeSpec_GOLANG, ChaincodeId: called, Input: &peerpb.ChaincodeInput{Args: args},
		},
	})})
	proposalHash := sha256.Sum256(slices.Concat(header.ChannelHeader, header.SignatureHeader, proposal))
	response := m.marshal(&peerpb.ProposalResponsePayload{
		ProposalHash: proposalHash[:],
		Extension: m.marshal(&peerpb.ChaincodeAction{
			Results:     m.marshal(b.results(&m, writes, padding)),
			Response:    &peerpb.Response{Status: 200},
			ChaincodeId: &peerpb.ChaincodeID{Name: chaincode, Version: "1.0"},
		}),
	})
	var endorsements []*peerpb.Endorsement
	for _, endorser := range b.config.Endorsers {
		endorsements = append(endorsements, &peerpb.Endorsement{
			Endorser:  endorser.Serialize(),
			Signature: m.sign(endorser, slices.Concat(response, endorser.Serialize())),
		})
	}
	payload := m.marshal(&commonpb.Payload{
		Header: header,
		Data: m.marshal(&peerpb.Transaction{Actions: []*peerpb.TransactionAction{{
			Header: header.SignatureHeader,
			Payload: m.marshal(&peerpb.ChaincodeActionPayload{
				ChaincodeProposalPayload: proposal,
				Action:                   &peerpb.ChaincodeEndorsedAction{ProposalResponsePayload: response, Endorsements: endorsements},
			}),
		}}}),
	})
	envelope := m.marshal(&commonpb.Envelope{Payload: payload, Signature: m.sign(b.config.Client, payload)})
	if m.err != nil {
		return nil, fmt.Errorf("mint a transaction: %w", m.err)
	}
	return envelope, nil
}

// results makes the read and write set.
func (b *Builder) results(m *marshaler, writes, padding int) *rwsetpb.TxReadWriteSet {
	set := &kvrwsetpb.KVRWSet{Reads: []*kvrwsetpb.KVRead{{Key: "rate"}}}
	for i := range writes {
		share := padding / writes
		if i < padding%writes {
			share++
		}
		key := fmt.Sprintf("asset%016x", rand.Uint64())
		set.Writes = append(set.Writes, &kvrwsetpb.KVWrite{Key: key, Value: text(share)})
	}
	return &rwsetpb.TxReadWriteSet{NsRwset: []*rwsetpb.NsReadWriteSet{{
		Namespace: chaincode, Rwset: m.marshal(set),
	}}}
}

// text is n bytes that compress about as well as real values do: hexadecimal digits.
func text(n int) []byte {
	const digits = "0123456789abcdef"
	out := make([]byte, n)
	for i := 0; i < n; {
		for r, k := rand.Uint64(), 0; k < 16 && i < n; i, k = i+1, k+1 {
			out[i] = digits[r&15]
			r >>= 4
		}
	}
	return out
}

// configuration makes the CONFIG envelope of genesis.
func (b *Builder) configuration() ([]byte, error) {
	var m marshaler
	application := &commonpb.ConfigGroup{Groups: map[string]*commonpb.ConfigGroup{}, ModPolicy: "Admins"}
	for _, member := range append([]*identity.Identity{b.config.Client}, b.config.Endorsers...) {
		application.Groups[member.MSPID] = &commonpb.ConfigGroup{ModPolicy: "Admins"}
	}
	groups := map[string]*commonpb.ConfigGroup{"Application": application}
	if b.config.Orderer != nil {
		groups["Orderer"] = &commonpb.ConfigGroup{ModPolicy: "Admins", Groups: map[string]*commonpb.ConfigGroup{
			b.config.Orderer.MSPID: {ModPolicy: "Admins"},
		}}
	}
	nonce := identity.Nonce()
	payload := m.marshal(&commonpb.Payload{
		Header: b.header(&m, commonpb.HeaderType_CONFIG, fabric.ComputeTxID(nonce, b.config.Client.Serialize()), nonce, nil),
		Data: m.marshal(&commonpb.ConfigEnvelope{Config: &commonpb.Config{
			ChannelGroup: &commonpb.ConfigGroup{Groups: groups, ModPolicy: "Admins"},
		}}),
	})
	envelope := m.marshal(&commonpb.Envelope{Payload: payload, Signature: m.sign(b.config.Client, payload)})
	return envelope, m.err
}
