//go:build unix

package validate

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// signed is one signature with all that a bare verification needs.
type signed struct {
	key       *ecdsa.PublicKey
	digest    [sha256.Size]byte
	signature []byte
}

// signatures gives those that a validator checks in a block.
func signatures(t testing.TB, b *fabric.Block) (all []signed) {
	t.Helper()
	add := func(by, signature []byte, message ...[]byte) {
		p, err := identity.Parse(by)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		for _, part := range message {
			h.Write(part)
		}
		all = append(all, signed{p.Certificate.PublicKey.(*ecdsa.PublicKey), [sha256.Size]byte(h.Sum(nil)), signature})
	}
	for _, envelope := range b.Envelopes() {
		tx, err := fabric.ParseTransaction(envelope)
		if err != nil {
			t.Fatal(err)
		}
		endorsed, err := fabric.ParseEndorsed(tx.Data)
		if err != nil {
			t.Fatal(err)
		}
		add(tx.Creator, tx.Signature, tx.Payload)
		for _, e := range endorsed.Endorsements {
			add(e.Endorser, e.Signature, endorsed.Response, e.Endorser)
		}
	}
	return all
}

// bare verifies signatures as Block distributes transactions: over workers, one block at
// a time.
func bare(t testing.TB, all []signed, workers int) {
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; i < int64(len(all)); i = next.Add(1) - 1 {
			if s := &all[i]; !ecdsa.VerifyASN1(s.key, s.digest[:], s.signature) {
				t.Error("bad signature")
			}
		}
	}
	var others sync.WaitGroup
	for range workers - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}

// cpu is the time that this process has spent on all processors: what other processes do is
// not in it.
func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBlock validates real blocks, and verifies their signatures bare, in turn; it
// reports what part of the speed of the latter the former has, by the clock and in
// processor time, garbage collection included.
func BenchmarkBlock(b *testing.B) {
	const blocks = 200
	v, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	var views []fabric.Block
	var bareBlocks [][]signed
	transactions, checks := 0, 0
	for _, raw := range blocktest.Run(b, "fabric-2.5-burst-n20-info")[10 : 10+blocks] {
		view, err := fabric.ParseBlock(raw)
		if err != nil {
			b.Fatal(err)
		}
		views, bareBlocks = append(views, view), append(bareBlocks, signatures(b, &view))
		transactions += view.Transactions
		checks += len(bareBlocks[len(bareBlocks)-1])
	}
	var whole, only, wholeCPU, onlyCPU time.Duration
	var results []Result
	b.ReportAllocs()
	for b.Loop() {
		for i := range views {
			start, startCPU := time.Now(), cpu(b)
			results = v.Block(&views[i], results[:0])
			middle, middleCPU := time.Now(), cpu(b)
			bare(b, bareBlocks[i], v.workers)
			only += time.Since(middle)
			onlyCPU += cpu(b) - middleCPU
			whole += middle.Sub(start)
			wholeCPU += middleCPU - startCPU
			for _, r := range results {
				if r.Code != peerpb.TxValidationCode_VALID {
					b.Fatalf("block %d: %v", views[i].Number, r.Code)
				}
			}
		}
	}
	n := float64(b.N)
	b.ReportMetric(float64(whole.Nanoseconds())/n/blocks, "ns/block")
	b.ReportMetric(float64(whole.Nanoseconds())/n/float64(transactions), "ns/tx")
	b.ReportMetric(float64(only.Nanoseconds())/n/float64(checks), "ns/bare-verify")
	b.ReportMetric(100*float64(only)/float64(whole), "%bare")
	b.ReportMetric(100*float64(onlyCPU)/float64(wholeCPU), "%bare-cpu")
	b.ReportMetric(0, "ns/op")
}
