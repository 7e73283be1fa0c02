package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	msppb "github.com/blockreel/blockreel/internal/fabric/proto/msp"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	rwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/rwset"
)

// text writes bytes as scalars.js does.
func text(b []byte) string {
	if len(b) <= 64 {
		return hex.EncodeToString(b)
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// list maps a slice.
func list[A, B any](in []A, f func(A) B) []B {
	var out []B
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

func decode[M proto.Message](t testing.TB, raw []byte, m M) M {
	t.Helper()
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatalf("%T: %v", m, err)
	}
	return m
}

// describe describes a block with our code: the view wherever it has an answer, the
// generated messages for the rest.
func describe(t testing.TB, raw []byte) Block {
	t.Helper()
	view, err := fabric.ParseBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	writes, err := view.Writes()
	if err != nil {
		t.Fatal(err)
	}
	sum := view.SumData()
	out := Block{
		Number: number(view.Number), PreviousHash: text(view.PreviousHash), DataHash: text(view.DataHash), DataSum: text(sum[:]),
		Flags:      list(view.Flags(), func(f byte) int { return int(f) }),
		CommitHash: text(view.Metadata(commonpb.BlockMetadataIndex_COMMIT_HASH)),
		Writes:     writes.Count, WriteBytes: writes.Bytes,
	}
	metadata := decode(t, view.Metadata(commonpb.BlockMetadataIndex_SIGNATURES), &commonpb.Metadata{})
	out.Metadata = text(metadata.Value)
	for _, s := range metadata.Signatures {
		out.Signatures = append(out.Signatures, Signature{describeSigned(t, s.SignatureHeader), text(s.Signature)})
	}
	for _, envelope := range view.Envelopes() {
		out.Transactions = append(out.Transactions, describeTransaction(t, envelope))
	}
	if len(out.Transactions) != view.Transactions {
		t.Fatalf("block %d: %d transactions, %d envelopes", view.Number, view.Transactions, len(out.Transactions))
	}
	return out
}

func describeIdentity(t testing.TB, raw []byte) Identity {
	id := decode(t, raw, &msppb.SerializedIdentity{})
	return Identity{id.Mspid, text(id.IdBytes)}
}

func describeSigned(t testing.TB, raw []byte) Signed {
	header := decode(t, raw, &commonpb.SignatureHeader{})
	return Signed{describeIdentity(t, header.Creator), text(header.Nonce)}
}

func describeTransaction(t testing.TB, envelope []byte) Transaction {
	view, err := fabric.ParseTransaction(envelope)
	if err != nil {
		t.Fatal(err)
	}
	payload := decode(t, view.Payload, &commonpb.Payload{})
	header := decode(t, payload.Header.ChannelHeader, &commonpb.ChannelHeader{})
	if stamp, err := proto.Marshal(header.Timestamp); err != nil || !bytes.Equal(stamp, view.Timestamp) {
		t.Errorf("transaction %s: timestamp %x in the view, %x (%v) in the message", view.TxID, view.Timestamp, stamp, err)
	}
	out := Transaction{
		Type: int(view.Type), Version: int(header.Version), Channel: view.ChannelID, TxID: view.TxID,
		Epoch: number(header.Epoch), Extension: text(header.Extension), TLSCertHash: text(view.TLSCertHash),
		Signed: Signed{describeIdentity(t, view.Creator), text(view.Nonce)}, Signature: text(view.Signature),
	}
	if header.Timestamp != nil {
		out.Millis, out.Nanos = header.Timestamp.AsTime().UnixMilli(), int(header.Timestamp.Nanos)
	}
	switch view.Type {
	case commonpb.HeaderType_CONFIG:
		config := decode(t, view.Data, &commonpb.ConfigEnvelope{}).Config
		out.Config = &Config{number(config.Sequence), describeGroup(config.ChannelGroup)}
	case commonpb.HeaderType_ENDORSER_TRANSACTION:
		for _, action := range decode(t, view.Data, &peerpb.Transaction{}).Actions {
			out.Actions = append(out.Actions, describeAction(t, action))
		}
	}
	return out
}

func describeGroup(g *commonpb.ConfigGroup) Group {
	out := Group{
		Version: int(g.Version), ModPolicy: g.ModPolicy,
		Groups: map[string]Group{}, Values: map[string]Item{}, Policies: map[string]Item{},
	}
	for name, group := range g.Groups {
		out.Groups[name] = describeGroup(group)
	}
	for name, v := range g.Values {
		out.Values[name] = Item{Version: int(v.Version), ModPolicy: v.ModPolicy, Value: text(v.Value)}
	}
	for name, p := range g.Policies {
		out.Policies[name] = Item{int(p.Version), p.ModPolicy, int(p.Policy.Type), text(p.Policy.Value)}
	}
	return out
}

func describeAction(t testing.TB, action *peerpb.TransactionAction) Action {
	payload := decode(t, action.Payload, &peerpb.ChaincodeActionPayload{})
	proposal := decode(t, payload.ChaincodeProposalPayload, &peerpb.ChaincodeProposalPayload{})
	spec := decode(t, proposal.Input, &peerpb.ChaincodeInvocationSpec{}).ChaincodeSpec
	response := decode(t, payload.Action.ProposalResponsePayload, &peerpb.ProposalResponsePayload{})
	result := decode(t, response.Extension, &peerpb.ChaincodeAction{})
	sets := decode(t, result.Results, &rwsetpb.TxReadWriteSet{})
	event := decode(t, result.Events, &peerpb.ChaincodeEvent{})
	return Action{
		Signed: describeSigned(t, action.Header), Language: int(spec.Type), Called: describeChaincode(spec.ChaincodeId),
		Args: list(spec.Input.Args, text), ProposalHash: text(response.ProposalHash), DataModel: int(sets.DataModel),
		Namespaces: list(sets.NsRwset, func(ns *rwsetpb.NsReadWriteSet) Namespace { return describeNamespace(t, ns) }),
		Event:      Event{event.ChaincodeId, event.TxId, event.EventName, text(event.Payload)},
		Status:     int(result.Response.Status), Message: result.Response.Message, Payload: text(result.Response.Payload),
		Ran: describeChaincode(result.ChaincodeId),
		Endorsements: list(payload.Action.Endorsements, func(e *peerpb.Endorsement) Endorsement {
			return Endorsement{describeIdentity(t, e.Endorser), text(e.Signature)}
		}),
	}
}

func describeChaincode(id *peerpb.ChaincodeID) Chaincode {
	return Chaincode{id.GetPath(), id.GetName(), id.GetVersion()}
}

func describeRead(r *kvrwsetpb.KVRead) Read {
	if r.Version == nil {
		return Read{Key: r.Key}
	}
	return Read{r.Key, fmt.Sprintf("%d/%d", r.Version.BlockNum, r.Version.TxNum)}
}

func describeNamespace(t testing.TB, ns *rwsetpb.NsReadWriteSet) Namespace {
	kv := decode(t, ns.Rwset, &kvrwsetpb.KVRWSet{})
	return Namespace{
		Name: ns.Namespace, Reads: list(kv.Reads, describeRead),
		Ranges: list(kv.RangeQueriesInfo, func(q *kvrwsetpb.RangeQueryInfo) Range {
			return Range{
				q.StartKey, q.EndKey, q.ItrExhausted,
				list(q.GetRawReads().GetKvReads(), describeRead), list(q.GetReadsMerkleHashes().GetMaxLevelHashes(), text),
			}
		}),
		Writes: list(kv.Writes, func(w *kvrwsetpb.KVWrite) Write { return Write{w.Key, w.IsDelete, text(w.Value)} }),
		Metadata: list(kv.MetadataWrites, func(w *kvrwsetpb.KVMetadataWrite) KeyEntries {
			return KeyEntries{w.Key, list(w.Entries, func(e *kvrwsetpb.KVMetadataEntry) Entry { return Entry{e.Name, text(e.Value)} })}
		}),
		Collections: list(ns.CollectionHashedRwset, func(c *rwsetpb.CollectionHashedReadWriteSet) Collection {
			return Collection{c.CollectionName, text(c.PvtRwsetHash)}
		}),
	}
}
