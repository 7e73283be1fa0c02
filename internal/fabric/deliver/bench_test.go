package deliver_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

// BenchmarkDeliver moves blocks of 31 kB from a server to a client on loopback: as they
// are, with the chain's hashes checked, and decoded and encoded as a program does that
// uses the generated messages.
func BenchmarkDeliver(b *testing.B) {
	raw := sample(b)[5]
	for _, plain := range []bool{false, true} {
		for _, mode := range []string{"raw", "hashed", "decoded"} {
			b.Run(fmt.Sprintf("tls=%v/%s", !plain, mode), func(b *testing.B) {
				n := startNode(b, nodeConfig{plain: plain})
				n.server.Ledgers = func(string) (deliver.Ledger, bool) { return &endless{raw: raw}, true }
				ep := n.endpoint()
				if plain {
					ep.TLS = nil
				}
				stream := open(b, dial(b, ep), deliver.Orderer, n.user, deliver.Seek{Channel: "ch1"})
				b.SetBytes(int64(len(raw)))
				b.ReportAllocs()
				for b.Loop() {
					d := recv(b, stream)
					if err := use(mode, &d.Block); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "blocks/s")
				stream.Close()
				n.stop()
			})
		}
	}
}

func use(mode string, block *fabric.Block) error {
	switch mode {
	case "hashed":
		var chain fabric.Chain
		return chain.Next(block)
	case "decoded":
		var m commonpb.Block
		if err := proto.Unmarshal(block.Raw, &m); err != nil {
			return err
		}
		_, err := proto.Marshal(&m)
		return err
	}
	return nil
}
