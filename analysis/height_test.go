package analysis

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestHeightsByHand(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{
		event.Offered:   {0, 10, 20, 30},
		event.Committed: {15, 20, 45, 50},
	})
	orderer, peer, err := Heights(tl)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, s Series, ts, vs []int64) {
		t.Helper()
		if !slices.Equal(s.T, ts) || !slices.Equal(s.V, vs) {
			t.Errorf("%s: %v %v, want %v %v", name, s.T, s.V, ts, vs)
		}
	}
	check("orderer", orderer.Series(), []int64{0, 10, 20, 30}, []int64{5, 6, 7, 8})
	check("peer", peer.Series(), []int64{0, 15, 20, 45, 50}, []int64{4, 5, 6, 7, 8})
	gap, err := inMemory(Gap(tl))
	if err != nil {
		t.Fatal(err)
	}
	check("gap", gap, []int64{0, 10, 15, 20, 30, 45, 50}, []int64{1, 2, 1, 1, 2, 1, 0})
	s := summarizeGap(tl, nil)
	// 10·1 + 5·2 + 5·1 + 10·1 + 15·2 + 5·1 = 70 block·ns in 50 ns.
	if s.Max != 2 || s.MaxAt != 10 || s.Mean != 1.4 || s.Final != 0 || s.CaughtUp != Known(int64(50)) {
		t.Errorf("summary %+v", s)
	}
}

// A peer of which nothing more was recorded does not stand still.
func TestGapEndsWithThePeersData(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{
		event.Offered:   {0, 10, 20, 30, 40, 50},
		event.Enqueued:  {5, 15, 25, gone, gone, gone},
		event.Committed: {6, 16, gone, gone, gone, gone},
	})
	gap, err := inMemory(Gap(tl))
	if err != nil || gap.T[gap.Len()-1] != 20 {
		t.Errorf("gap %v, %v", gap, err)
	}
	if s := summarizeGap(tl, nil); s.Max != 1 || s.Final != 1 {
		t.Errorf("summary %+v", s)
	}
	all := strings.Join(Stats(&traces.Trace{Timelines: []*traces.Timeline{tl}}).Warnings, "\n")
	if want := "no commit within the trace of 4 blocks offered: the latency leaves them out; the peer's data end 25 ns before the last offer"; !strings.Contains(all, want) {
		t.Errorf("no warning of %q in\n%s", want, all)
	}
	// A peer whose clock is so far behind that it ends before the first offer.
	if gap, err := inMemory(Gap(timeline(map[event.Kind][]int64{event.Offered: {50, 60}, event.Committed: {1, gone}}))); err != nil || gap.Len() == 0 {
		t.Errorf("gap %v, %v", gap, err)
	}
}

func TestHeightsWithHolesAndDisorder(t *testing.T) {
	for _, c := range []struct{ col, want []int64 }{
		{[]int64{1, 2, 3}, []int64{1, 2, 3}},
		{[]int64{1, gone, 3}, []int64{1, 3, 3}},
		{[]int64{gone, gone, 3, gone}, []int64{3, 3, 3}},
		{[]int64{5, 4, 9, 8}, []int64{4, 4, 8, 8}},
		{[]int64{gone}, nil},
		{nil, nil},
	} {
		g := newGrowth(timeline(map[event.Kind][]int64{event.Offered: c.col}), event.Offered)
		if got := instants(g); !slices.Equal(got, c.want) {
			t.Errorf("the growth of %v is %v, want %v", c.col, got, c.want)
		}
	}
	// The orderer's log ends early: the peer cannot be ahead of it.
	gap, err := inMemory(Gap(timeline(map[event.Kind][]int64{event.Offered: {0, gone}, event.Committed: {5, 9}})))
	if err != nil || !slices.Equal(gap.V, []int64{1, 0, 0}) {
		t.Errorf("gap %v, %v", gap, err)
	}
}

func instants(g *growth) (at []int64) {
	for i := range g.n {
		at = append(at, g.at(i))
	}
	return at
}

// TestGrowthAgainstBruteForce holds that long columns with holes grow as if each block had been held
// against all later ones, read forwards and backwards.
func TestGrowthAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 4))
	for range 20 {
		column := make([]int64, 1+rng.IntN(5000))
		for i := range column {
			if column[i] = int64(i)*10 + rng.Int64N(200); rng.IntN(10) == 0 {
				column[i] = gone
			}
		}
		want := slices.Clone(column)
		for len(want) > 0 && want[len(want)-1] == gone {
			want = want[:len(want)-1]
		}
		for i := len(want) - 2; i >= 0; i-- {
			if want[i] == gone || want[i+1] < want[i] {
				want[i] = want[i+1]
			}
		}
		g := newGrowth(timeline(map[event.Kind][]int64{event.Offered: column}), event.Offered)
		if got := instants(g); !slices.Equal(got, want) {
			t.Fatal("the growth differs")
		}
		for i := g.n - 1; i >= 0; i -= 1 + rng.IntN(700) {
			if g.at(i) != want[i] {
				t.Fatalf("block %d: %d, want %d", i, g.at(i), want[i])
			}
		}
	}
}

func TestGapAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		tl := randomTimeline(rng, 1+rng.IntN(60))
		gap, err := inMemory(Gap(tl))
		if err != nil {
			continue // all holes
		}
		height := func(k event.Kind, at int64) int {
			h := 0
			for i, v := range tl.Column(k) {
				if v != event.Missing && v <= at {
					h = i + 1
				}
			}
			return h
		}
		most := int64(math.MinInt64)
		for i, at := range gap.T {
			p := height(event.Committed, at)
			want := int64(max(height(event.Offered, at), p) - p)
			if gap.V[i] != want {
				t.Fatalf("gap at %d is %d, want %d", at, gap.V[i], want)
			}
			most = max(most, want)
		}
		if got := summarizeGap(tl, nil); got.Max != most {
			t.Fatalf("greatest gap %d, want %d", got.Max, most)
		}
	}
}

func TestMissingColumnsAreNamed(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{event.Committed: {1, 2}, event.Dequeued: {0, 1}})
	_, _, err := Heights(tl)
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Kind != event.Offered {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"heights", "ch1@peer0", `"offered"`, "orderer's log"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if _, err := Depth(tl); !errors.As(err, &missing) || missing.Kind != event.Enqueued {
		t.Errorf("depth: %v", err)
	}
	if _, err := Blocked(tl); !errors.As(err, &missing) || missing.Kind != event.AtDoor {
		t.Errorf("blocked: %v", err)
	}
}
