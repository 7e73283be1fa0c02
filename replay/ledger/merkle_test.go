package ledger

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	"github.com/blockreel/blockreel/traces/event"
)

// summary is that of results which are all there: groups of groups, level by level.
func summary(t testing.TB, degree int, results []*kvrwsetpb.KVRead) *kvrwsetpb.QueryReadsMerkleSummary {
	t.Helper()
	var level [][]byte
	for group := range slices.Chunk(results, degree+1) {
		raw, err := proto.Marshal(&kvrwsetpb.QueryReads{KvReads: group})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(raw)
		level = append(level, sum[:])
	}
	n := 1
	for ; len(level) > degree; n++ {
		var above [][]byte
		for group := range slices.Chunk(level, degree+1) {
			if len(group) == 1 {
				above = append(above, group[0])
				continue
			}
			sum := sha256.Sum256(bytes.Join(group, nil))
			above = append(above, sum[:])
		}
		level = above
	}
	return &kvrwsetpb.QueryReadsMerkleSummary{MaxDegree: uint32(degree), MaxLevel: uint32(n), MaxLevelHashes: level}
}

// The tree that grows with the results is the one that is made of all of them.
func TestMerkleTree(t *testing.T) {
	for degree, most := range map[int]int{2: 100, 3: 300, 5: 300, 50: 2700} {
		var results []*kvrwsetpb.KVRead
		for n := range most {
			results = append(results, reads(fmt.Sprintf("k%05d", n), uint64(n/7), uint64(n%7)))
			if n < degree || degree == 50 && n%17 > 0 && n%51 > 2 {
				continue
			}
			want := summary(t, degree, results)
			recorded := fabric.MerkleSummary{MaxDegree: uint32(degree), MaxLevel: want.MaxLevel, Hashes: want.MaxLevelHashes}
			grow := func(n int) bool {
				tree := newMerkleTree(uint32(degree))
				for _, r := range results[:n] {
					tree.add([]byte(r.Key), version{event.BlockNum(r.Version.BlockNum), uint32(r.Version.TxNum)})
				}
				return tree.equals(&recorded)
			}
			if !grow(n + 1) {
				t.Errorf("degree %d: another tree of %d results", degree, n+1)
			}
			if grow(n) {
				t.Errorf("degree %d: the tree of %d results is that of %d", degree, n+1, n)
			}
		}
	}
}

// merkle is a query of many results, of which a summary is recorded.
func merkle(t testing.TB, from, to string, degree int, results ...*kvrwsetpb.KVRead) tx {
	return tx{set: &kvrwsetpb.KVRWSet{RangeQueriesInfo: []*kvrwsetpb.RangeQueryInfo{{
		StartKey: from, EndKey: to, ItrExhausted: true,
		ReadsInfo: &kvrwsetpb.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: summary(t, degree, results)},
	}}}}
}

// A query whose results are recorded as hashes is executed again like others.
func TestMerkleQueries(t *testing.T) {
	const keys = 60
	key := func(i int) string { return fmt.Sprintf("k%02d", i) }
	remove := func(i int) tx {
		return tx{set: &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{deletes(key(i))}}}
	}
	l := open(t, Memory, Config{Channel: "ch1"})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	var writers []tx
	var results []*kvrwsetpb.KVRead
	for i := range keys {
		writers = append(writers, put(key(i), "1"))
		results = append(results, reads(key(i), 1, uint64(i)))
	}
	commit(t, l, c.block(writers...))
	other := slices.Clone(results)
	other[30] = reads(key(30), 0, 30)
	few := merkle(t, "k", "l", 50, results[:40]...)
	hostile := merkle(t, "k", "l", 50, results...)
	hostile.set.RangeQueriesInfo[0].GetReadsMerkleHashes().MaxDegree = 0
	commit(t, l, c.block(
		merkle(t, "k", "l", 50, results...),
		merkle(t, "k", "l", 2, results...),
		merkle(t, "k", "k50", 3, results[:50]...),
		merkle(t, "k", "l", 50, results[1:]...), // 3: one less
		merkle(t, "k", "l", 50, other...),       // another version
		merkle(t, "m", "n", 50, results...),     // nothing there
		few,                                     // no summary is made of so few
		hostile,
	))
	wantCodes(t, l, 2, 0, 0, 0, phantom12, phantom12, phantom12, phantom12, phantom12)
	commit(t, l, c.block(
		put("x", "1"), remove(99), // neither changes the range
		merkle(t, "k", "l", 50, results...),
		put(key(7), "2"),
		merkle(t, "k", "l", 50, results...),       // 4: its version is another one
		merkle(t, "k08", "l", 50, results[8:]...), // 5: is not in it
		remove(9),
		merkle(t, "k08", "l", 50, results[8:]...),
	))
	wantCodes(t, l, 3, 0, 0, 0, 0, phantom12, 0, 0, phantom12)
	if r := l.Report(); r.Believed != 0 {
		t.Errorf("%d reads believed", r.Believed)
	}
	check(t, l)
}

// Where results may be from before the first block, a summary is believed, unless the block
// itself has changed what was seen.
func TestBelievedMerkleQueries(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1", First: 10})
	c := &chain{t: t, next: 10}
	var results []*kvrwsetpb.KVRead
	for i := range 60 {
		results = append(results, reads(fmt.Sprintf("k%02d", i), 4, uint64(i)))
	}
	q := merkle(t, "k", "l", 50, results...)
	c.flags = []byte{0, phantom12, 0, phantom12, 0}
	commit(t, l, c.block(q, q, put("k07", "2"), q, merkle(t, "m", "n", 50, results...)))
	wantCodes(t, l, 10, 0, phantom12, 0, phantom12, 0)
	remove := tx{set: &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{deletes("k07"), deletes("k99")}}}
	commit(t, l, c.block(remove, q))
	wantCodes(t, l, 11, 0, phantom12)
	commit(t, l, c.block(remove, q)) // they were not there
	wantCodes(t, l, 12, 0, 0)
	if r := l.Report(); r.AdoptedPast != 1 || r.Believed != 4 || r.Different != 0 {
		t.Errorf("report %+v", r)
	}
	check(t, l)
}
