package interop_test

import (
	"testing"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
)

// TestDifference: what the comparison of the decoders must notice.
func TestDifference(t *testing.T) {
	raw := blocktest.Sample(t)[10]
	changes := map[string]func(b *Block){
		"number":       func(b *Block) { b.Number = "11" },
		"flags":        func(b *Block) { b.Flags[1]++ },
		"transactions": func(b *Block) { b.Transactions = b.Transactions[1:] },
		"tx id":        func(b *Block) { b.Transactions[0].TxID += "0" },
		"creator":      func(b *Block) { b.Transactions[0].Creator.MSPID = "Org2MSP" },
		"no nonce":     func(b *Block) { b.Transactions[0].Nonce = "" },
		"read version": func(b *Block) { firstNamespace(b).Reads[0].Version = "0/0" },
		"write":        func(b *Block) { firstNamespace(b).Writes[0].IsDelete = true },
		"writes":       func(b *Block) { b.Writes++ },
	}
	if d := difference(t, describe(t, raw), describe(t, raw)); d != "" {
		t.Errorf("a block differs from itself: %s", d)
	}
	for name, change := range changes {
		theirs := describe(t, raw)
		change(&theirs)
		if difference(t, describe(t, raw), theirs) == "" || difference(t, describe(t, raw).forDecoder(), theirs.forDecoder()) == "" {
			t.Errorf("%s: not noticed", name)
		}
	}
}

// firstNamespace is the first that the block's first transaction reads and writes in.
func firstNamespace(b *Block) *Namespace {
	for i, ns := range b.Transactions[0].Actions[0].Namespaces {
		if len(ns.Reads) > 0 && len(ns.Writes) > 0 {
			return &b.Transactions[0].Actions[0].Namespaces[i]
		}
	}
	return nil
}
