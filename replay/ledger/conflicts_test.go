package ledger

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// The results of a range are those of a look at every key, however changes of the block and
// queries take turns.
func TestRangesOverChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	key := func() string { return fmt.Sprintf("k%02d", random.IntN(40)) }
	l := open(t, Memory, Config{Channel: "ch1"})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	var base []tx
	for i := range 15 {
		base = append(base, put(fmt.Sprintf("k%02d", i*3), "1"))
	}
	commit(t, l, c.block(base...))
	stored := map[string]stateValue{}
	prefix := string(appendNamespace(nil, []byte("basic")))
	err := l.store.scan(t.Context(), stateTable, []byte(prefix), []byte(prefix+"\xff"), func(k, v []byte) bool {
		stored[string(k)], _ = decodeState(v)
		return true
	})
	if err != nil || len(stored) != len(base) {
		t.Fatalf("%d keys, %v", len(stored), err)
	}
	m, queries := &l.state, 0
	for block := range 30 {
		m.reset()
		changed := map[string]stateValue{}
		for step := range 60 {
			if random.IntN(3) > 0 {
				k := key()
				v := stateValue{version: version{event.BlockNum(2 + block), uint32(step)}, deleted: random.IntN(3) == 0}
				m.change(m.index([]byte("basic"), []byte(k)), v)
				changed[prefix+k] = v
				continue
			}
			from, to := prefix+key(), prefix+key()
			var got, want []string
			err := l.results(t.Context(), []byte(from), []byte(to), func(k []byte, r result) bool {
				got = append(got, fmt.Sprintf("%s %v %v %v %v", k, r.version, r.deleted, r.put, r.gone))
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range stored {
				if _, over := changed[k]; !over && k >= from && k < to {
					want = append(want, fmt.Sprintf("%s %v %v false false", k, v.version, v.deleted))
				}
			}
			for k, v := range changed {
				if _, there := stored[k]; k >= from && k < to {
					want = append(want, fmt.Sprintf("%s %v %v %v %v", k, v.version, v.deleted, !v.deleted, v.deleted && there))
				}
			}
			slices.SortFunc(want, cmp.Compare[string])
			if queries++; !slices.Equal(got, want) {
				t.Fatalf("block %d, from %q to %q:\n%s\nwant\n%s", block, from, to, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	}
	if queries < 100 {
		t.Errorf("%d queries", queries)
	}
}
