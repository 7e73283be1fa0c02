package validate

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/mint"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// minted makes blocks of ch1, genesis first, endorsed by so many members.
func minted(t testing.TB, endorsers, blocks, transactions int) []fabric.Block {
	t.Helper()
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		t.Fatal(err)
	}
	member := func(name string) *identity.Identity {
		m, err := org.Member(name, "peer")
		if err != nil {
			t.Fatal(err)
		}
		return m.Identity
	}
	c := mint.Config{Channel: "ch1", Client: member("user"), Fresh: true}
	for i := range endorsers {
		c.Endorsers = append(c.Endorsers, member(fmt.Sprint("peer", i)))
	}
	b, err := mint.New(c)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Genesis()
	if err != nil {
		t.Fatal(err)
	}
	all := []fabric.Block{parse(t, raw)}
	for range blocks {
		if raw, err = b.Next(mint.Shape{Transactions: transactions, Writes: 2 * transactions}); err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(t, raw))
	}
	return all
}

func parse(t testing.TB, raw []byte) fabric.Block {
	t.Helper()
	b, err := fabric.ParseBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func validator(t testing.TB, c Config) *Validator {
	t.Helper()
	v, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestMintedBlocks(t *testing.T) {
	v := validator(t, Config{Channel: "ch1", Workers: 4})
	for _, b := range minted(t, 3, 3, 9) {
		results := v.Block(&b, nil)
		if len(results) != b.Transactions {
			t.Fatalf("block %d: %d results for %d transactions", b.Number, len(results), b.Transactions)
		}
		for i, r := range results {
			if r.Code != peerpb.TxValidationCode_VALID || r.TxID == "" {
				t.Errorf("block %d, transaction %d: %v %q", b.Number, i, r.Code, r.TxID)
			}
			if b.Number == 0 {
				if r.Type != commonpb.HeaderType_CONFIG || len(r.Config) == 0 {
					t.Errorf("genesis is a %v with a configuration of %d bytes", r.Type, len(r.Config))
				}
				continue
			}
			if n := r.Set.Namespaces; len(n) != 1 || len(n[0].Writes) != 2 || len(n[0].Reads) != 1 {
				t.Errorf("block %d, transaction %d: read and wrote %+v", b.Number, i, n)
			}
		}
	}
}

// Every byte of an envelope counts: whichever is changed, the transaction is not valid.
func TestAnyChangeIsSeen(t *testing.T) {
	block := minted(t, 2, 1, 1)[1]
	v := validator(t, Config{Channel: "ch1"})
	var envelope []byte
	for _, e := range block.Envelopes() {
		envelope = e
	}
	if r := v.checks.judge(envelope); r.Code != peerpb.TxValidationCode_VALID {
		t.Fatalf("unchanged: %v", r.Code)
	}
	step := 7
	if testing.Short() {
		step = 101
	}
	for i := 0; i < len(envelope); i += step {
		changed := bytes.Clone(envelope)
		changed[i] ^= 0x10
		if r := v.checks.judge(changed); r.Code == peerpb.TxValidationCode_VALID {
			t.Errorf("byte %d of %d changed, and still valid", i, len(envelope))
		}
	}
}

// The real sample holds under every number of workers, and without signatures the same is
// read.
func TestSample(t *testing.T) {
	for _, raw := range blocktest.Sample(t) {
		b := parse(t, raw)
		read := Read(&b, nil)
		for _, workers := range []int{1, 2, 7} {
			results := validator(t, Config{Channel: "ch1", Workers: workers}).Block(&b, nil)
			for i, r := range results {
				if r.Code != peerpb.TxValidationCode_VALID || r.TxID != read[i].TxID || r.Type != read[i].Type {
					t.Errorf("block %d, transaction %d, %d workers: %v", b.Number, i, workers, r.Code)
				}
			}
		}
		for i, r := range validator(t, Config{Channel: "ch2"}).Block(&b, nil) {
			if b.Number > 0 && (r.Code != peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE || r.Config != nil || r.Set.Namespaces != nil) {
				t.Errorf("block %d, transaction %d: %v on another channel, a configuration of %d bytes, and %+v", b.Number, i, r.Code, len(r.Config), r.Set)
			}
		}
	}
}

// However many certificates come, no more than the bound are kept, for any number of
// goroutines.
func TestCertificatesAreBounded(t *testing.T) {
	blocks := minted(t, 6, 2, 4)[1:]
	v := validator(t, Config{Workers: 2})
	v.checks.known.most = 3
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for _, b := range blocks {
				for _, r := range v.Block(&b, nil) {
					if r.Code != peerpb.TxValidationCode_VALID {
						t.Error(r.Code)
					}
				}
			}
		})
	}
	all.Wait()
	if n := len(v.checks.known.byBytes); n != 3 {
		t.Errorf("%d certificates are kept, want 3", n)
	}
}

// A large identity is good and is not kept.
func TestLargeCertificatesAreNotKept(t *testing.T) {
	m := newMaker(t)
	large := protowire.AppendTag(m.id.Serialize(), 15, protowire.BytesType) // a field that nobody knows
	large = protowire.AppendBytes(large, make([]byte, maxKept))
	v := validator(t, Config{})
	r := v.checks.judge(m.envelope(func(p *parts) { p.endorsements[0].Endorser = large }))
	if r.Code != valid {
		t.Errorf("%v", r.Code)
	}
	if n := len(v.checks.known.byBytes); n != 1 {
		t.Errorf("%d certificates are kept, want the small one", n)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{Workers: -1}, {Workers: maxWorkers + 1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
	if v := validator(t, Config{}); v.workers < 1 {
		t.Errorf("%d workers", v.workers)
	}
}

// FuzzTransaction: hostile bytes give a verdict.
func FuzzTransaction(f *testing.F) {
	v := validator(f, Config{})
	for _, raw := range blocktest.Sample(f)[:8] {
		b := parse(f, raw)
		for _, e := range b.Envelopes() {
			f.Add(e)
		}
	}
	f.Fuzz(func(t *testing.T, envelope []byte) {
		first, again := v.checks.judge(envelope), v.checks.judge(envelope)
		if first.Code != again.Code {
			t.Errorf("%v, then %v", first.Code, again.Code)
		}
		genesis(envelope)
		_, _ = fabric.ParseReadWriteSet(envelope)
	})
}
