package ledger

import (
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric"
)

// checkKeys refuses a block with a key that is too long for the backend.
func (l *Ledger) checkKeys(c *candidate) error {
	most := l.maxKey
	if most == 0 {
		return nil
	}
	for i := range c.transactions {
		t := &c.transactions[i]
		if len(t.TxID) > most {
			return fmt.Errorf("transaction %d: its id has %d bytes; this kind of ledger takes at most %d", i, len(t.TxID), most)
		}
		if t.Code != valid {
			continue
		}
		longest := 0
		sets(&t.Set, func(namespace []byte, n *fabric.NamespaceSet) {
			for _, w := range n.Writes {
				longest = max(longest, len(namespace)+len(w.Key))
			}
			for _, w := range n.Metadata {
				longest = max(longest, len(namespace)+len(w.Key))
			}
		})
		if longest > most {
			return fmt.Errorf("transaction %d: a key that it writes has %d bytes with its namespace; this kind of ledger takes at most %d", i, longest, most)
		}
	}
	return nil
}
