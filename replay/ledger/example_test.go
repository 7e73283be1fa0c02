package ledger_test

import (
	"context"
	"fmt"
	"log"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/ledger"
)

// A block without a payload is made up of its counts.
func Example() {
	ctx := context.Background()
	l, err := ledger.Open(ledger.Memory, ledger.Config{Channel: "mychannel"})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	b := &block.Block{Number: 0, Transactions: 2, Writes: 3, Bytes: 4096}
	if err := l.Validate(ctx, b); err != nil {
		log.Fatal(err)
	}
	if _, err := l.Commit(ctx, b); err != nil {
		log.Fatal(err)
	}
	stored, err := l.Block(ctx, 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("height", l.Height())
	for _, t := range stored.Contents {
		fmt.Println(t.Type, t.Code, len(t.Writes), "writes")
	}
	// Output:
	// height 1
	// ENDORSER_TRANSACTION VALID 2 writes
	// ENDORSER_TRANSACTION VALID 1 writes
}
