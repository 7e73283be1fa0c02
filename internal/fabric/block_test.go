package fabric_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	rwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/rwset"
)

var runs = []struct {
	folder string
	blocks int
}{
	{"fabric-2.5-burst-n20-info", 2404},
	{"fabric-2.5-mvcc-debug", 304},
	{"fabric-2.5-mvcc-blockfiles", 0},
}

// eachSource runs a test on the sample and on every real run that is here.
func eachSource(t *testing.T, test func(t *testing.T, blocks [][]byte)) {
	t.Run("sample", func(t *testing.T) { test(t, blocktest.Sample(t)) })
	for _, run := range runs {
		t.Run(run.folder, func(t *testing.T) {
			blocks := blocktest.Run(t, run.folder)
			if run.blocks != 0 && len(blocks) != run.blocks {
				t.Errorf("%d blocks, want %d", len(blocks), run.blocks)
			}
			test(t, blocks)
		})
	}
}

func parse(t testing.TB, raw []byte) fabric.Block {
	t.Helper()
	b, err := fabric.ParseBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestParseAgreesWithDecoding holds the view of a block against a full decode.
func TestParseAgreesWithDecoding(t *testing.T) {
	eachSource(t, func(t *testing.T, blocks [][]byte) {
		for _, raw := range blocks {
			b := parse(t, raw)
			agree(t, &b)
			again, err := proto.MarshalOptions{Deterministic: true}.Marshal(decode(t, raw))
			if err != nil || !bytes.Equal(again, raw) {
				t.Fatalf("block %d: decoding and encoding gives other bytes (%v)", b.Number, err)
			}
		}
	})
}

func decode(t testing.TB, raw []byte) *commonpb.Block {
	t.Helper()
	var m commonpb.Block
	if err := proto.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

func agree(t *testing.T, b *fabric.Block) {
	t.Helper()
	m := decode(t, b.Raw)
	if b.Number != m.Header.GetNumber() || !bytes.Equal(b.PreviousHash, m.Header.GetPreviousHash()) ||
		!bytes.Equal(b.DataHash, m.Header.GetDataHash()) || b.Transactions != len(m.Data.GetData()) {
		t.Fatalf("block %d: %+v, decoded %v", b.Number, b, m.Header)
	}
	for i, envelope := range b.Envelopes() {
		if !bytes.Equal(envelope, m.Data.Data[i]) {
			t.Fatalf("block %d: envelope %d differs", b.Number, i)
		}
	}
	for i, entry := range m.Metadata.GetMetadata() {
		if !bytes.Equal(b.Metadata(commonpb.BlockMetadataIndex(i)), entry) {
			t.Fatalf("block %d: metadata %d differs", b.Number, i)
		}
	}
}

func TestChainHoldsRealBlocks(t *testing.T) {
	eachSource(t, func(t *testing.T, blocks [][]byte) {
		chain := fabric.ChainAt(0)
		for _, raw := range blocks {
			b := parse(t, raw)
			if err := chain.Next(&b); err != nil {
				t.Fatal(err)
			}
			if channel, err := b.ChannelID(); channel != "ch1" || err != nil {
				t.Fatalf("block %d: channel %q, %v", b.Number, channel, err)
			}
		}
		if chain.Height() != uint64(len(blocks)) {
			t.Errorf("height %d after %d blocks", chain.Height(), len(blocks))
		}
	})
}

// TestSignatures checks, on every transaction, what a committer checks.
func TestSignatures(t *testing.T) {
	eachSource(t, func(t *testing.T, blocks [][]byte) {
		if testing.Short() && len(blocks) > 100 {
			blocks = blocks[:100]
		}
		principals := principals{}
		endorsed := 0
		for _, raw := range blocks {
			b := parse(t, raw)
			checkOrderer(t, principals, &b)
			var want fabric.Writes
			for i, envelope := range b.Envelopes() {
				w, ok := checkTransaction(t, principals, envelope, fmt.Sprintf("block %d, transaction %d", b.Number, i))
				want.Count += w.Count
				want.Bytes += w.Bytes
				if ok {
					endorsed++
				}
			}
			if got, err := b.Writes(); got != want || err != nil {
				t.Errorf("block %d: writes %+v (%v), decoded %+v", b.Number, got, err, want)
			}
		}
		if endorsed < len(blocks) {
			t.Errorf("only %d endorsements in %d blocks", endorsed, len(blocks))
		}
	})
}

// principals caches: a run has a handful of certificates.
type principals map[string]*identity.Principal

func (p principals) get(t *testing.T, serialized []byte) *identity.Principal {
	t.Helper()
	if known := p[string(serialized)]; known != nil {
		return known
	}
	parsed, err := identity.Parse(serialized)
	if err != nil {
		t.Fatal(err)
	}
	p[string(serialized)] = parsed
	return parsed
}

func checkOrderer(t *testing.T, known principals, b *fabric.Block) {
	t.Helper()
	var m commonpb.Metadata
	if err := proto.Unmarshal(b.Metadata(commonpb.BlockMetadataIndex_SIGNATURES), &m); err != nil {
		t.Fatal(err)
	}
	if len(m.Signatures) == 0 && b.Number > 0 {
		t.Fatalf("block %d is not signed", b.Number)
	}
	for _, s := range m.Signatures {
		var header commonpb.SignatureHeader
		if err := proto.Unmarshal(s.SignatureHeader, &header); err != nil {
			t.Fatal(err)
		}
		der := fabric.HeaderBytes(b.Number, b.PreviousHash, b.DataHash)
		if err := known.get(t, header.Creator).Verify(s.Signature, m.Value, s.SignatureHeader, der); err != nil {
			t.Fatalf("block %d: %v", b.Number, err)
		}
	}
}

func checkTransaction(t *testing.T, known principals, envelope []byte, name string) (fabric.Writes, bool) {
	t.Helper()
	tx, err := fabric.ParseTransaction(envelope)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if tx.Type != commonpb.HeaderType_ENDORSER_TRANSACTION {
		return fabric.Writes{}, false
	}
	if err := known.get(t, tx.Creator).Verify(tx.Signature, tx.Payload); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if id := fabric.ComputeTxID(tx.Nonce, tx.Creator); id != tx.TxID {
		t.Fatalf("%s: id %s, should be %s", name, tx.TxID, id)
	}
	var body peerpb.Transaction
	must(t, tx.Data, &body)
	var sum fabric.Writes
	for _, action := range body.Actions {
		var payload peerpb.ChaincodeActionPayload
		must(t, action.Payload, &payload)
		response := payload.Action.ProposalResponsePayload
		for _, e := range payload.Action.Endorsements {
			if err := known.get(t, e.Endorser).Verify(e.Signature, response, e.Endorser); err != nil {
				t.Fatalf("%s: endorsement: %v", name, err)
			}
		}
		var results peerpb.ProposalResponsePayload
		must(t, response, &results)
		var simulated peerpb.ChaincodeAction
		must(t, results.Extension, &simulated)
		w := decodedWrites(t, simulated.Results)
		sum.Count += w.Count
		sum.Bytes += w.Bytes
	}
	return sum, true
}

func decodedWrites(t *testing.T, results []byte) (sum fabric.Writes) {
	t.Helper()
	var sets rwsetpb.TxReadWriteSet
	must(t, results, &sets)
	for _, ns := range sets.NsRwset {
		var set kvrwsetpb.KVRWSet
		must(t, ns.Rwset, &set)
		for _, w := range set.Writes {
			sum.Count++
			sum.Bytes += len(w.Key) + len(w.Value)
		}
	}
	return sum
}

func must(t *testing.T, raw []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
}

func TestFlagsOfThePeer(t *testing.T) {
	conflicts := 0
	for _, raw := range blocktest.Sample(t) {
		b := parse(t, raw)
		if len(b.Flags()) != b.Transactions {
			t.Errorf("block %d: %d verdicts on %d transactions", b.Number, len(b.Flags()), b.Transactions)
		}
		n := bytes.Count(b.Flags(), []byte{byte(peerpb.TxValidationCode_MVCC_READ_CONFLICT)})
		conflicts += n
		if valid, ok := b.ValidTransactions(); !ok || valid != b.Transactions-n {
			t.Errorf("block %d: %d valid (%v) of %d with %d conflicts", b.Number, valid, ok, b.Transactions, n)
		}
	}
	if conflicts != 25 {
		t.Errorf("%d conflicts in the sample, want 25", conflicts)
	}
}

// TestCommitted makes a peer's copy of an orderer's block, and back.
func TestCommitted(t *testing.T) {
	for _, raw := range blocktest.Sample(t) {
		peers := parse(t, raw)
		flags := bytes.Clone(peers.Flags())
		orderers := decode(t, raw)
		orderers.Metadata.Metadata[commonpb.BlockMetadataIndex_TRANSACTIONS_FILTER] = nil
		hash := orderers.Metadata.Metadata[commonpb.BlockMetadataIndex_COMMIT_HASH]
		orderers.Metadata.Metadata = orderers.Metadata.Metadata[:commonpb.BlockMetadataIndex_ORDERER+1]
		stripped, err := proto.Marshal(orderers)
		if err != nil {
			t.Fatal(err)
		}
		b := parse(t, stripped)
		if b.Flags() != nil {
			t.Fatalf("block %d: verdicts on an orderer's block", b.Number)
		}
		var commit commonpb.Metadata
		must(t, hash, &commit)
		if got := b.Committed(flags, commit.Value); !bytes.Equal(got, raw) {
			t.Errorf("block %d: the copy of %d bytes is not the peer's of %d", b.Number, len(got), len(raw))
		}
	}
}

func TestWithoutData(t *testing.T) {
	b := parse(t, blocktest.Sample(t)[5])
	bare := parse(t, b.WithoutData())
	if bare.Transactions != 0 || bare.Number != 5 || bare.HeaderHash() != b.HeaderHash() {
		t.Errorf("%+v", bare)
	}
	if len(bare.Raw) >= len(b.Raw)/2 {
		t.Errorf("%d bytes of %d", len(bare.Raw), len(b.Raw))
	}
}

func TestChainFindsDamage(t *testing.T) {
	var blocks []fabric.Block
	for _, raw := range blocktest.Sample(t) {
		blocks = append(blocks, parse(t, raw))
	}
	changed := bytes.Clone(blocks[6].Raw)
	for _, envelope := range blocks[6].Envelopes() {
		changed[bytes.Index(changed, envelope)+len(envelope)/2] ^= 1
	}
	forked := decode(t, blocks[6].Raw)
	forked.Header.PreviousHash = make([]byte, fabric.HashSize)
	forkedRaw, err := proto.Marshal(forked)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		next []byte
		want error
		text string
	}{
		{"hole", blocks[7].Raw, fabric.ErrHole, "block 7 came where 6 should: blocks are missing"},
		{"duplicate", blocks[5].Raw, fabric.ErrOld, "block 5 came where 6 should: block has been before"},
		{"fork", forkedRaw, fabric.ErrFork, "block 6: the chain forks: previous hash differs"},
		{"damage", changed, fabric.ErrDataHash, "block 6: transactions do not match the header's data hash"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var chain fabric.Chain
			for _, b := range blocks[3:6] {
				if err := chain.Next(&b); err != nil {
					t.Fatal(err)
				}
			}
			bad := parse(t, test.next)
			err := chain.Next(&bad)
			var chainErr *fabric.ChainError
			if !errors.Is(err, test.want) || !errors.As(err, &chainErr) || chainErr.Number != bad.Number || err.Error() != test.text {
				t.Errorf("%v", err)
			}
			if err := chain.Next(&blocks[6]); err != nil {
				t.Errorf("the right block after it: %v", err)
			}
		})
	}
	chain := fabric.ChainAt(4)
	if err := chain.Next(&blocks[5]); !errors.Is(err, fabric.ErrHole) {
		t.Errorf("the first block after ChainAt(4) is 5: %v", err)
	}
}

func TestHeaderHashIsTheNextPrevious(t *testing.T) {
	blocks := blocktest.Sample(t)
	first, second := parse(t, blocks[0]), parse(t, blocks[1])
	if hash := first.HeaderHash(); !bytes.Equal(hash[:], second.PreviousHash) {
		t.Errorf("hash of genesis %x, block 1 says %x", hash, second.PreviousHash)
	}
	if !first.IsConfig() || first.Transactions != 1 {
		t.Error("genesis is no configuration block")
	}
	// DER of numbers whose highest bit is set begins with a zero octet.
	der := fabric.HeaderBytes(1<<63, nil, nil)
	if want := []byte{0x30, 0x0f, 0x02, 0x09, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x04, 0, 0x04, 0}; !bytes.Equal(der, want) {
		t.Errorf("% x", der)
	}
}

func TestParseRefuses(t *testing.T) {
	good := blocktest.Sample(t)[4]
	header := []byte{0x0a, 2, 0x08, 7}
	for name, raw := range map[string][]byte{
		"nothing":               {},
		"no header":             {0x12, 0},
		"cut short":             good[:len(good)-1],
		"header twice":          slices.Concat(header, header),
		"data twice":            slices.Concat(header, []byte{0x12, 0, 0x12, 0}),
		"header as a number":    {0x08, 1},
		"number as bytes":       {0x0a, 2, 0x0a, 0},
		"length beyond the end": {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"data of numbers":       slices.Concat(header, []byte{0x12, 2, 0x08, 1}),
		"end of a group":        slices.Concat(header, []byte{0x24}),
	} {
		if b, err := fabric.ParseBlock(raw); !errors.Is(err, fabric.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}

func TestFilter(t *testing.T) {
	for _, raw := range blocktest.Sample(t) {
		b := parse(t, raw)
		filtered, err := fabric.Filter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if filtered.ChannelId != "ch1" || filtered.Number != b.Number || len(filtered.FilteredTransactions) != b.Transactions {
			t.Fatalf("block %d: %v", b.Number, filtered)
		}
		for i, tx := range filtered.FilteredTransactions {
			if byte(tx.TxValidationCode) != b.Flags()[i] || (tx.Type == commonpb.HeaderType_ENDORSER_TRANSACTION) != (len(tx.Txid) == 64 && tx.GetTransactionActions() != nil) {
				t.Errorf("block %d: transaction %d: %v", b.Number, i, tx)
			}
		}
	}
}

func FuzzParseBlock(f *testing.F) {
	for _, i := range []int{1, 3} {
		f.Add(blocktest.Sample(f)[i])
	}
	f.Add([]byte{0x0a, 2, 0x08, 7, 0x12, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := fabric.ParseBlock(raw)
		if err != nil {
			if !errors.Is(err, fabric.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		agree(t, &b)
		writes, err := b.Writes()
		if err == nil && (writes.Count > len(raw) || writes.Bytes > len(raw)) {
			t.Fatalf("%+v in %d bytes", writes, len(raw))
		}
		_, _ = fabric.Filter(&b)
		_, _ = b.ChannelID()
		b.ValidTransactions()
		copied := parse(t, b.Committed(make([]byte, b.Transactions), nil))
		if copied.HeaderHash() != b.HeaderHash() || copied.SumData() != b.SumData() {
			t.Fatal("a committed copy is another block")
		}
		bare := parse(t, b.WithoutData())
		if bare.Transactions != 0 {
			t.Fatal("data without data")
		}
		var chain fabric.Chain
		_ = chain.Next(&b)
	})
}

func BenchmarkParse(b *testing.B) {
	raw := blocktest.Sample(b)[5]
	bench := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	block := parse(b, raw)
	bench("view", func() error { _, err := fabric.ParseBlock(raw); return err })
	bench("view+chain", func() error {
		block, err := fabric.ParseBlock(raw)
		if err != nil {
			return err
		}
		var chain fabric.Chain
		return chain.Next(&block)
	})
	bench("writes", func() error { _, err := block.Writes(); return err })
	bench("decode", func() error { return proto.Unmarshal(raw, &commonpb.Block{}) })
}
