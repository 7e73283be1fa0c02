package interop_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/mint"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// TestDecoders compares every field that the official decoders give with ours.
func TestDecoders(t *testing.T) {
	packages(t)
	t.Parallel()
	cases := map[string]func(t *testing.T) [][]byte{
		"sample":                      func(t *testing.T) [][]byte { return blocktest.Sample(t) },
		"minted":                      func(t *testing.T) [][]byte { return committed(t, minted(t)) },
		"fabric-2.5-mvcc-debug":       func(t *testing.T) [][]byte { return blocktest.Run(t, "fabric-2.5-mvcc-debug") },
		"fabric-2.5-mvcc-blockfiles":  func(t *testing.T) [][]byte { return blocktest.Run(t, "fabric-2.5-mvcc-blockfiles") },
		"fabric-2.5-burst-n20-info":   func(t *testing.T) [][]byte { return blocktest.Run(t, "fabric-2.5-burst-n20-info") },
		"without the peer's verdicts": func(t *testing.T) [][]byte { return minted(t) },
	}
	for name, blocks := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, blocks(t))
		})
	}
}

func compare(t *testing.T, blocks [][]byte) {
	var input bytes.Buffer
	for _, raw := range blocks {
		input.Write(binary.BigEndian.AppendUint32(nil, uint32(len(raw))))
		input.Write(raw)
	}
	var chain fabric.Chain
	n, transactions := 0, 0
	node(t, "decode.js", nil, &input, func(line []byte) {
		if n == len(blocks) {
			t.Fatalf("more lines than blocks: %.100s", line)
		}
		var theirs struct{ Decoder, Messages Block }
		parse(t, line, &theirs)
		ours := describe(t, blocks[n])
		if d := difference(t, ours, theirs.Messages); d != "" {
			t.Errorf("block %d, @hyperledger/fabric-protos: %s", n, d)
		}
		if d := difference(t, ours.forDecoder(), theirs.Decoder); d != "" {
			t.Errorf("block %d, fabric-common: %s", n, d)
		}
		view, err := fabric.ParseBlock(blocks[n])
		if err != nil {
			t.Fatal(err)
		}
		// The header's hash, by our rule, is what the next block claims.
		if err := chain.Next(&view); err != nil {
			t.Error(err)
		}
		n++
		transactions += view.Transactions
	})
	if n != len(blocks) || n == 0 {
		t.Fatalf("%d lines for %d blocks", n, len(blocks))
	}
	t.Logf("%d blocks, %d transactions", n, transactions)
}

// mintedChannel is the channel of the minted blocks.
const mintedChannel = "minted"

// minted makes blocks as an orderer has them, one larger than gRPC's usual 4 MB and one of
// what is rare.
func minted(t testing.TB) [][]byte {
	t.Helper()
	orgs := map[string]*pki.Org{}
	member := func(mspID, domain, role string) *identity.Identity {
		org := orgs[mspID]
		if org == nil {
			var err error
			if org, err = pki.NewOrg(mspID, domain); err != nil {
				t.Fatal(err)
			}
			orgs[mspID] = org
		}
		m, err := org.Member(role, role)
		if err != nil {
			t.Fatal(err)
		}
		return m.Identity
	}
	client := member("Org1MSP", "org1.example.com", "client")
	builder, err := mint.New(mint.Config{
		Channel: mintedChannel, Client: client,
		Endorsers: []*identity.Identity{member("Org1MSP", "org1.example.com", "peer"), member("Org2MSP", "org2.example.com", "peer")},
		Orderer:   member("OrdererMSP", "example.com", "orderer"),
	})
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := builder.Genesis()
	if err != nil {
		t.Fatal(err)
	}
	blocks := [][]byte{genesis}
	for _, shape := range []mint.Shape{
		{Transactions: 1, Writes: 1},
		{Transactions: 10, Writes: 20, Bytes: 33_000},
		{Transactions: 2, Bytes: 20_000},
		{Transactions: 500, Writes: 1000},
		{Transactions: 3, Writes: 5, Bytes: 6_000_000},
	} {
		raw, err := builder.Next(shape)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, raw)
	}
	return append(blocks, rare(t, blocks[len(blocks)-1], client))
}

// committed gives blocks as a peer has them: every third transaction is a conflict.
func committed(t testing.TB, blocks [][]byte) [][]byte {
	t.Helper()
	var out [][]byte
	for _, raw := range blocks {
		view, err := fabric.ParseBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		flags := make([]byte, view.Transactions)
		for i := 2; i < len(flags); i += 3 {
			flags[i] = byte(peerpb.TxValidationCode_MVCC_READ_CONFLICT)
		}
		hash := view.HeaderHash()
		done := view.Committed(flags, hash[:])
		if again, err := fabric.ParseBlock(done); err != nil || again.Metadata(commonpb.BlockMetadataIndex_COMMIT_HASH) == nil {
			t.Fatalf("committed block: %v", err)
		}
		out = append(out, done)
	}
	return out
}
