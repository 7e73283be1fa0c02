package mint_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/mint"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

func config(t testing.TB) mint.Config {
	t.Helper()
	member := func(mspID, name, role string) *identity.Identity {
		org, err := pki.NewOrg(mspID, name+".example.com")
		if err != nil {
			t.Fatal(err)
		}
		m, err := org.Member(name, role)
		if err != nil {
			t.Fatal(err)
		}
		return m.Identity
	}
	return mint.Config{
		Channel: "ch1", Client: member("Org1MSP", "user", "client"), Orderer: member("OrdererMSP", "orderer", "orderer"),
		Endorsers: []*identity.Identity{member("Org1MSP", "peer0", "peer"), member("Org2MSP", "peer0", "peer")},
	}
}

// TestBlocksHold checks all that a reader can check on blocks of several shapes.
func TestBlocksHold(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		t.Run(fmt.Sprintf("fresh=%v", fresh), func(t *testing.T) {
			c := config(t)
			c.Fresh = fresh
			b, err := mint.New(c)
			if err != nil {
				t.Fatal(err)
			}
			genesis, err := b.Genesis()
			if err != nil {
				t.Fatal(err)
			}
			first, err := fabric.ParseBlock(genesis)
			if err != nil || !first.IsConfig() || first.Number != 0 || len(first.PreviousHash) != 0 {
				t.Fatalf("genesis: %+v, %v", first, err)
			}
			chain := fabric.ChainAt(0)
			if err := chain.Next(&first); err != nil {
				t.Fatal(err)
			}
			for _, shape := range []mint.Shape{
				{1, 1, 0}, {1, 1, 6_000}, {10, 20, 33_000}, {10, 20, 40_000}, {10, 20, 40_000}, {7, 3, 100_000}, {2, 0, 20_000}, {10, 10, 1_000_000},
			} {
				raw, err := b.Next(shape)
				if err != nil {
					t.Fatal(err)
				}
				block, err := fabric.ParseBlock(raw)
				if err != nil {
					t.Fatal(err)
				}
				if err := chain.Next(&block); err != nil {
					t.Fatal(err)
				}
				checkShape(t, &block, shape)
				checkSignatures(t, &block)
			}
			if b.Height() != chain.Height() {
				t.Errorf("height %d, chain %d", b.Height(), chain.Height())
			}
		})
	}
}

func checkShape(t *testing.T, b *fabric.Block, s mint.Shape) {
	t.Helper()
	writes, err := b.Writes()
	if b.Transactions != s.Transactions || writes.Count != s.Writes || err != nil {
		t.Errorf("%+v: %d transactions, %d writes, %v", s, b.Transactions, writes.Count, err)
	}
	// The bare minimum of a transaction with two endorsements is about 3.3 kB.
	floor := s.Transactions * 4_000
	if size := len(b.Raw); s.Bytes > floor && (size < s.Bytes*96/100 || size > s.Bytes*102/100) || s.Bytes <= floor && size > floor+3_000 {
		t.Errorf("%+v: %d bytes", s, size)
	}
	if channel, err := b.ChannelID(); channel != "ch1" || err != nil {
		t.Errorf("channel %q, %v", channel, err)
	}
}

func checkSignatures(t *testing.T, b *fabric.Block) {
	t.Helper()
	var m commonpb.Metadata
	unmarshal(t, b.Metadata(commonpb.BlockMetadataIndex_SIGNATURES), &m)
	var header commonpb.SignatureHeader
	unmarshal(t, m.Signatures[0].SignatureHeader, &header)
	der := fabric.HeaderBytes(b.Number, b.PreviousHash, b.DataHash)
	verify(t, header.Creator, m.Signatures[0].Signature, m.Value, m.Signatures[0].SignatureHeader, der)
	seen := map[string]bool{}
	for i, envelope := range b.Envelopes() {
		tx, err := fabric.ParseTransaction(envelope)
		if err != nil {
			t.Fatal(err)
		}
		if tx.TxID != fabric.ComputeTxID(tx.Nonce, tx.Creator) || seen[tx.TxID] {
			t.Errorf("block %d: transaction %d: id %s, before: %v", b.Number, i, tx.TxID, seen[tx.TxID])
		}
		seen[tx.TxID] = true
		verify(t, tx.Creator, tx.Signature, tx.Payload)
		var body peerpb.Transaction
		unmarshal(t, tx.Data, &body)
		var payload peerpb.ChaincodeActionPayload
		unmarshal(t, body.Actions[0].Payload, &payload)
		if len(payload.Action.Endorsements) != 2 {
			t.Errorf("%d endorsements", len(payload.Action.Endorsements))
		}
		for _, e := range payload.Action.Endorsements {
			verify(t, e.Endorser, e.Signature, payload.Action.ProposalResponsePayload, e.Endorser)
		}
	}
}

func verify(t *testing.T, who, signature []byte, message ...[]byte) {
	t.Helper()
	p, err := identity.Parse(who)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(signature, message...); err != nil {
		t.Error(err)
	}
}

func unmarshal(t *testing.T, raw []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
}

func TestBuilderRefuses(t *testing.T) {
	good := config(t)
	for name, damage := range map[string]func(*mint.Config){
		"no channel":  func(c *mint.Config) { c.Channel = "" },
		"no client":   func(c *mint.Config) { c.Client = nil },
		"no endorser": func(c *mint.Config) { c.Endorsers = nil },
	} {
		c := good
		damage(&c)
		if _, err := mint.New(c); err == nil {
			t.Error(name)
		}
	}
	b, err := mint.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Next(mint.Shape{}); err == nil {
		t.Error("a block of nothing")
	}
	if _, err := b.Next(mint.Shape{Transactions: 1}); err != nil {
		t.Error(err)
	}
	if _, err := b.Genesis(); err == nil {
		t.Error("genesis after block 0")
	}
}

func BenchmarkNext(b *testing.B) {
	for _, shape := range []mint.Shape{{1, 1, 4_200}, {10, 20, 33_000}} {
		for _, signed := range []bool{true, false} {
			b.Run(fmt.Sprintf("tx=%d/signed=%v", shape.Transactions, signed), func(b *testing.B) {
				c := config(b)
				c.Endorsers = c.Endorsers[:1]
				if !signed {
					c.Orderer = nil
				}
				builder, err := mint.New(c)
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					raw, err := builder.Next(shape)
					if err != nil {
						b.Fatal(err)
					}
					b.SetBytes(int64(len(raw)))
				}
			})
		}
	}
}
