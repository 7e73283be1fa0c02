package interop_test

import (
	"crypto/sha256"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	rwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/rwset"
)

// rare makes the block after previous, of one transaction with all that the other blocks
// do not have: chaincode events, deletions, range queries, metadata of keys, private
// collections, two actions.
func rare(t testing.TB, previous []byte, signer *identity.Identity) []byte {
	t.Helper()
	view, err := fabric.ParseBlock(previous)
	if err != nil {
		t.Fatal(err)
	}
	nonce := identity.Nonce()
	signed := marshal(t, &commonpb.SignatureHeader{Creator: signer.Serialize(), Nonce: nonce})
	txID := fabric.ComputeTxID(nonce, signer.Serialize())
	payload := marshal(t, &commonpb.Payload{
		Header: &commonpb.Header{
			ChannelHeader: marshal(t, &commonpb.ChannelHeader{
				Type: int32(commonpb.HeaderType_ENDORSER_TRANSACTION), Version: 3, Epoch: 1 << 40,
				Timestamp: &timestamppb.Timestamp{Seconds: 1_700_000_000, Nanos: 24_999_999},
				ChannelId: mintedChannel, TxId: txID, Extension: []byte("extension"), TlsCertHash: []byte("hash"),
			}),
			SignatureHeader: signed,
		},
		Data: marshal(t, &peerpb.Transaction{Actions: []*peerpb.TransactionAction{
			{Header: signed, Payload: rareAction(t, signer, &peerpb.ChaincodeEvent{
				ChaincodeId: "basic", TxId: txID, EventName: "paid", Payload: []byte("5"),
			})},
			{Header: signed, Payload: rareAction(t, signer, nil)},
		}}),
	})
	signature, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	data := marshal(t, &commonpb.Envelope{Payload: payload, Signature: signature})
	hash, sum := view.HeaderHash(), sha256.Sum256(data)
	return marshal(t, &commonpb.Block{
		Header: &commonpb.BlockHeader{Number: view.Number + 1, PreviousHash: hash[:], DataHash: sum[:]},
		Data:   &commonpb.BlockData{Data: [][]byte{data}},
		Metadata: &commonpb.BlockMetadata{Metadata: [][]byte{marshal(t, &commonpb.Metadata{
			Value: []byte("value"), Signatures: []*commonpb.MetadataSignature{{SignatureHeader: signed, Signature: signature}},
		}), nil, nil, nil, nil}},
	})
}

func rareAction(t testing.TB, endorser *identity.Identity, event *peerpb.ChaincodeEvent) []byte {
	reads := []*kvrwsetpb.KVRead{
		{Key: "\x00asset\x00ä<1>", Version: &kvrwsetpb.Version{BlockNum: 1 << 40, TxNum: 7}},
		{Key: "first", Version: &kvrwsetpb.Version{}}, {Key: "absent"},
	}
	set := &kvrwsetpb.KVRWSet{
		Reads: reads,
		RangeQueriesInfo: []*kvrwsetpb.RangeQueryInfo{
			{StartKey: "a", EndKey: "b", ItrExhausted: true, ReadsInfo: &kvrwsetpb.RangeQueryInfo_RawReads{
				RawReads: &kvrwsetpb.QueryReads{KvReads: reads},
			}},
			{StartKey: "c", ReadsInfo: &kvrwsetpb.RangeQueryInfo_ReadsMerkleHashes{
				ReadsMerkleHashes: &kvrwsetpb.QueryReadsMerkleSummary{MaxDegree: 50, MaxLevel: 2, MaxLevelHashes: [][]byte{{1}, {2, 3}}},
			}},
		},
		Writes:         []*kvrwsetpb.KVWrite{{Key: "ü", Value: []byte{0, 255}}, {Key: "gone", IsDelete: true}},
		MetadataWrites: []*kvrwsetpb.KVMetadataWrite{{Key: "ü", Entries: []*kvrwsetpb.KVMetadataEntry{{Name: "policy", Value: []byte("p")}}}},
	}
	results := &rwsetpb.TxReadWriteSet{NsRwset: []*rwsetpb.NsReadWriteSet{
		{Namespace: "_lifecycle", Rwset: marshal(t, &kvrwsetpb.KVRWSet{Reads: reads[2:]})},
		{Namespace: "basic", Rwset: marshal(t, set), CollectionHashedRwset: []*rwsetpb.CollectionHashedReadWriteSet{
			{CollectionName: "prices", PvtRwsetHash: []byte("private")},
		}},
	}}
	chaincode := &peerpb.ChaincodeID{Path: "path", Name: "basic", Version: "1.0"}
	action := &peerpb.ChaincodeAction{
		Results: marshal(t, results), ChaincodeId: chaincode,
		Response: &peerpb.Response{Status: 201, Message: "done", Payload: []byte("payload")},
	}
	if event != nil {
		action.Events = marshal(t, event)
	}
	return marshal(t, &peerpb.ChaincodeActionPayload{
		ChaincodeProposalPayload: marshal(t, &peerpb.ChaincodeProposalPayload{Input: marshal(t, &peerpb.ChaincodeInvocationSpec{
			ChaincodeSpec: &peerpb.ChaincodeSpec{
				Type: peerpb.ChaincodeSpec_JAVA, ChaincodeId: chaincode, Input: &peerpb.ChaincodeInput{Args: [][]byte{[]byte("pay"), nil}},
			},
		})}),
		Action: &peerpb.ChaincodeEndorsedAction{
			ProposalResponsePayload: marshal(t, &peerpb.ProposalResponsePayload{ProposalHash: []byte("proposal"), Extension: marshal(t, action)}),
			Endorsements:            []*peerpb.Endorsement{{Endorser: endorser.Serialize(), Signature: []byte("signature")}},
		},
	})
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
