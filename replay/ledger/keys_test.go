package ledger

import (
	"fmt"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// A key that the backend cannot store is refused before anything is written; the longest
// that it says it can store, it can.
func TestLongKeys(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		whateverSync(t, spec)
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		l := open(t, spec, cfg)
		c := &chain{t: t}
		commit(t, l, c.genesis())
		most := l.maxKey
		if most == 0 {
			most = 100_000
		} else if k, _ := parse(spec); !strings.Contains(k.backend.Limits, fmt.Sprint(most)) {
			t.Errorf("the limit of %d bytes is not in %q", most, k.backend.Limits)
		}
		key := strings.Repeat("k", most-len("basic"))
		tooLong := put(key+"k", "1")
		badID := put("a", "1")
		badID.spoil = func(p *parts) { p.channel.TxId = strings.Repeat("f", most+1) }
		next, previous := c.next, c.previous
		for _, x := range []tx{tooLong, badID} {
			b := c.block(put("b", "1"), x)
			if l.maxKey == 0 {
				commit(t, l, b)
				continue
			}
			if err := l.Validate(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			_, err := l.Commit(t.Context(), b)
			if err == nil || !strings.Contains(err.Error(), "block 1: transaction 1: ") ||
				!strings.Contains(err.Error(), fmt.Sprintf("has %d bytes", most+1)) || !strings.Contains(err.Error(), fmt.Sprintf("at most %d", most)) {
				t.Errorf("%v", err)
			}
			c.next, c.previous = next, previous
		}
		height := l.Height()
		commit(t, l, c.block(put(key, "1"), put("b", "1")))
		check(t, l)
		if k, _ := parse(spec); !k.backend.InMemory {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, spec, cfg)
			check(t, l)
		}
		if v, err := l.State(t.Context(), "basic", key); err != nil || v.Block != event.BlockNum(height) {
			t.Errorf("the longest key: block %d, %v", v.Block, err)
		}
	})
}
