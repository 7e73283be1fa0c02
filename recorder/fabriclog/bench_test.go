package fabriclog

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"
)

// peerLog returns the INFO lines of n blocks from first on, as a peer of 2.5 writes
// them to a console: colours, milliseconds, commit hashes.
func peerLog(first, n int) []byte {
	var b bytes.Buffer
	at := time.Date(2026, 11, 22, 9, 56, 30, 643e6, time.UTC)
	id := 0x34
	line := func(module, function, format string, args ...any) {
		fmt.Fprintf(&b, "\x1b[34m%s %04x INFO\x1b[0m [%s] \x1b[34;1m%s\x1b[0m -> ", at.Format("2006-01-02 15:04:05.000 MST"), id, module, function)
		fmt.Fprintf(&b, format+"\n", args...)
		id++
	}
	for block := first; block < first+n; block++ {
		line("gossip.privdata", "StoreBlock", "Received block [%d] from buffer channel=ch1", block)
		at = at.Add(2 * time.Millisecond)
		line("committer.txvalidator", "Validate", "[ch1] Validated block [%d] in 2ms", block)
		at = at.Add(3 * time.Millisecond)
		line("kvledger", "commit", "[ch1] Committed block [%d] with 10 transaction(s) in 3ms (state_validation=0ms block_and_pvtdata_commit=2ms state_commit=0ms) commitHash=[%064x]", block, uint64(block)*0x9e3779b97f4a7c15)
	}
	return b.Bytes()
}

// BenchmarkParse reads a peer's INFO log that is in memory already, unpacked.
func BenchmarkParse(b *testing.B) {
	const blocks = 20000
	log := peerLog(4, blocks)
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		tr, _, err := Read(context.Background(), Config{Peers: []Source{text("peer.log", log)}})
		if err != nil || tr.Timelines[0].Len() != blocks {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(3*blocks), "ns/line")
}

// BenchmarkParseReal reads the logs of a real run, both nodes, unpacked.
func BenchmarkParseReal(b *testing.B) {
	for _, run := range []string{"fabric-2.5-burst-n20-info", "fabric-2.5-burst-n20-infojson", "fabric-2.5-burst-n20-debug"} {
		b.Run(run, func(b *testing.B) {
			dir := shared(b, run)
			peer, orderer := unpack(b, dir, "peer.log.gz"), unpack(b, dir, "orderer.log.gz")
			b.SetBytes(int64(len(peer) + len(orderer)))
			for b.Loop() {
				tr, _, err := Read(context.Background(), Config{Peers: []Source{text("peer.log", peer)}, Orderers: []Source{text("orderer.log", orderer)}})
				if err != nil || tr.Timelines[0].Len() != 2400 {
					b.Fatal(err)
				}
			}
		})
	}
}
