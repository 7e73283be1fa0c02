package attach_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/blockreel/blockreel/recorder/attach"
	"github.com/blockreel/blockreel/recorder/fabriclog"
	"github.com/blockreel/blockreel/traces"
)

// The trace of an orderer's and a peer's logs is given the blocks of the peer's ledger file.
func Example() {
	ctx := context.Background()
	logs := func(path string) []fabriclog.Source {
		return []fabriclog.Source{{Path: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }}}
	}
	tr, _, err := fabriclog.Read(ctx, fabriclog.Config{Orderers: logs("testdata/orderer.log"), Peers: logs("testdata/peer.log")})
	if err != nil {
		log.Fatal(err)
	}
	files, err := attach.Expand("../../internal/fabric/blockfile/testdata/peer-blockfile_*")
	if err != nil {
		log.Fatal(err)
	}
	var full bytes.Buffer
	report, err := attach.Write(ctx, &full, tr, attach.Config{Files: files})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range report.Files {
		fmt.Printf("%s, channel %s: %d blocks from %d on\n", f.Layout, f.Channel, f.Blocks, f.First)
	}
	whole, err := traces.Verify(&full)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("payloads in the trace:", whole.Payloads)
	// Output:
	// ledger file, channel ch1: 22 blocks from 0 on
	// payloads in the trace: 22
}
