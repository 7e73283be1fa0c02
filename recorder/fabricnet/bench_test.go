//go:build unix

package fabricnet

import (
	"context"
	"fmt"
	"io"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/internal/fabric/pki"
)

// endless is a chain that has all blocks at once: those of a real run again and again,
// each with a number and a previous hash of its own. It tells a height of 1, so that all
// others count as made while they were recorded. Orderer and peer share it.
type endless struct {
	blocks []fabric.Block

	mu     sync.Mutex
	made   [][fabric.HashSize]byte // hashes of the blocks, by number
	recent [1 << 10]fabric.Block   // for who reads second
}

// paced is a node's view of the chain.
type paced struct {
	*endless
	// ahead waits until the recorder is not too far behind.
	ahead func(ctx context.Context)
}

func (p paced) Block(ctx context.Context, n uint64) ([]byte, error) {
	p.ahead(ctx)
	return p.block(n), ctx.Err()
}

func newEndless(tb testing.TB, blocks [][]byte) *endless {
	tb.Helper()
	e := &endless{}
	for _, raw := range blocks {
		b, err := fabric.ParseBlock(raw)
		if err != nil {
			tb.Fatal(err)
		}
		e.blocks = append(e.blocks, b)
	}
	return e
}

func (e *endless) Oldest() uint64 { return 0 }
func (e *endless) Height() uint64 { return 1 }

func (e *endless) block(n uint64) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	recent := &e.recent[n%uint64(len(e.recent))]
	if recent.Raw != nil && recent.Number == n {
		return recent.Raw
	}
	b := e.blocks[n%uint64(len(e.blocks))]
	b.Number, b.PreviousHash = n, e.previous(n)
	header := protowire.AppendVarint([]byte{1 << 3}, n)
	header = protowire.AppendBytes(append(header, 2<<3|2), b.PreviousHash)
	header = protowire.AppendBytes(append(header, 3<<3|2), b.DataHash)
	_, _, old := protowire.ConsumeField(b.Raw)
	raw := append(make([]byte, 0, len(b.Raw)+64), 1<<3|2)
	b.Raw = append(protowire.AppendBytes(raw, header), b.Raw[old:]...)
	*recent = b
	return b.Raw
}

// previous gives the hash of the block before n.
func (e *endless) previous(n uint64) []byte {
	for i := uint64(len(e.made)); i < n; i++ {
		b := e.blocks[i%uint64(len(e.blocks))]
		b.Number, b.PreviousHash = i, nil
		if i > 0 {
			b.PreviousHash = e.made[i-1][:]
		}
		e.made = append(e.made, b.HeaderHash())
	}
	if n == 0 {
		return nil
	}
	return e.made[n-1][:]
}

// queueBytes is the queue of payloads.
const queueBytes = 64 << 20

// BenchmarkRecord records blocks of 33 kB of a real run, from an orderer and a peer in
// this process over gRPC on loopback. The orderer holds back while half of the queue of
// payloads is full: nothing is dropped.
func BenchmarkRecord(b *testing.B) {
	for _, plain := range []bool{true, false} {
		for mode, payload := range []string{"none", "headers", "full"} {
			b.Run(fmt.Sprintf("tls=%v/payload=%s", !plain, payload), func(b *testing.B) { benchmarkRecord(b, plain, Payload(mode)) })
		}
	}
}

func benchmarkRecord(b *testing.B, plain bool, payload Payload) {
	org := fabrictest.NewOrg(b)
	blocks := blocktest.Run(b, "fabric-2.5-burst-n20-info")
	if len(blocks) > 1000 {
		blocks = blocks[len(blocks)-1000:]
	}
	chain := newEndless(b, blocks)
	offered, committed := paced{chain, func(context.Context) {}}, paced{chain, func(context.Context) {}}
	orderer := newServer(b, org, pki.Request{}, nil)
	peer := newServer(b, org, pki.Request{}, nil)
	if plain {
		orderer.TLS, peer.TLS = nil, nil
	}
	orderer.Server.Ledgers = func(string) (deliver.Ledger, bool) { return &offered, true }
	peer.Server.Ledgers = func(string) (deliver.Ledger, bool) { return &committed, true }
	orderer.Start(b)
	peer.Start(b)
	cfg := Config{Orderer: orderer.node("orderer"), Peers: []Node{peer.node("peer")}, Channels: []string{"ch1"},
		Signer: org.User.Identity, Payload: payload}
	if plain {
		cfg.Orderer.TLS, cfg.Peers[0].TLS = nil, nil
	}
	net := open(b, cfg)
	size, n := 0, b.N
	for i := range blocks {
		size += len(blocks[i])
	}
	offered.ahead = func(ctx context.Context) {
		for net.rec != nil && net.rec.PayloadBytes() > queueBytes/2 && ctx.Err() == nil {
			pause(ctx)
		}
	}
	// The peer is never ahead of the orderer by more than a block, and ends it all.
	committed.ahead = func(ctx context.Context) {
		for net.channels[0].orderer.feed.Next() < net.channels[0].streams[0].peer.feed.Next() && ctx.Err() == nil {
			pause(ctx)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	done := make(chan error, 1)
	b.SetBytes(int64(size / len(blocks)))
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	go func() { done <- net.Run(ctx, io.Discard) }()
	for s := net.Status()[0]; s.Offered < uint64(n) || s.Committed < uint64(n); s = net.Status()[0] {
		pause(ctx)
	}
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if lost := net.Status()[0].DroppedPayloads; lost > 0 {
		b.Errorf("%d payloads dropped", lost)
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(n), "cpu-ns/block")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "blocks/s")
	orderer.Stop()
	peer.Stop()
}

// BenchmarkTake is what is the recorder's own of BenchmarkRecord, from the bytes of a
// message on: the block's parts, the chain, the counts, the times, the compressed payload.
// The nodes, TLS and gRPC are not in it.
func BenchmarkTake(b *testing.B) {
	blocks := blocktest.Run(b, "fabric-2.5-burst-n20-info")
	for mode, payload := range []string{"none", "headers", "full"} {
		b.Run("payload="+payload, func(b *testing.B) {
			t := newTestbed(b, 1, 1, 1, "ch1")
			t.config.Payload = Payload(mode)
			net := open(b, t.config)
			if err := net.begin(io.Discard); err != nil {
				b.Fatal(err)
			}
			c := net.channels[0]
			c.begin()
			chain := newEndless(b, blocks[len(blocks)-1000:])
			order := fabric.ChainAt(0)
			var bytes int64
			before := cpuTime(b)
			b.ResetTimer()
			for n := range uint64(b.N) { // not b.Loop: the last payloads are written behind it
				d := deliver.Delivered{Arrived: time.Now()}
				var err error
				if d.Block, err = fabric.ParseBlock(chain.block(n)); err == nil {
					err = order.Next(&d.Block)
				}
				if err != nil {
					b.Fatal(err)
				}
				bytes += int64(len(d.Block.Raw))
				c.offered(&d)
				for net.rec.PayloadBytes() > queueBytes/2 {
					pause(b.Context())
				}
			}
			if err := net.rec.Close(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.SetBytes(bytes / int64(b.N))
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/block")
		})
	}
}

// cpuTime is that of this process: on a machine that others use it tells more than the
// clock.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// pause lets others work for a moment.
func pause(ctx context.Context) {
	timer := time.NewTimer(100 * time.Microsecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
