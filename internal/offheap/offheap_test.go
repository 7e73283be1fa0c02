package offheap

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// much is a number of int64 that make a column a long one, however small long is.
const much = long/8 + 1000

func TestMakeIsZeros(t *testing.T) {
	for _, n := range []int{0, 1, 10, long/8 - 1, long / 8, much} {
		c := Make[int64](n)
		if len(c) != n || slices.ContainsFunc(c, func(v int64) bool { return v != 0 }) {
			t.Errorf("column of %d: %d values, not all of them zero", n, len(c))
		}
		for i := range c {
			c[i] = int64(i)
		}
		Free(c)
	}
}

func TestAppendKeepsValues(t *testing.T) {
	var c []int64
	for i := range 3 * much {
		c = Append(c, int64(i))
	}
	more := Clone(c[:much])
	c = Append(c, more...)
	Free(more)
	for i, v := range c {
		want := int64(i)
		if i >= 3*much {
			want -= 3 * much
		}
		if v != want {
			t.Fatalf("value %d is %d, want %d", i, v, want)
		}
	}
	d := Clone(c)
	c[5] = -1
	if d[5] != 5 || len(d) != len(c) {
		t.Error("a clone shares its values")
	}
	Free(c)
	Free(d)
}

// Of a part without the first value Free does nothing, nor of what it has never seen.
func TestFreeOfParts(t *testing.T) {
	c := Make[int64](much)
	c[much-1] = 7
	Free(c[1:])
	Free([]int64{1, 2})
	Free([]int64(nil))
	if c[much-1] != 7 {
		t.Error("the column is gone with its part")
	}
	Free(c)
}

func TestKeepOnHeap(t *testing.T) {
	end := KeepOnHeap()
	c := Make[int64](much)
	c[0] = 1
	letGo()
	end()
	d := Make[int64](much)
	Free(d)
	Free(c)
	if c[0] != 1 { // it is the collector's
		t.Error("a column on the heap was freed")
	}
}

func TestPointersArePanic(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("only Linux has long columns; others panic all the same")
	}
	defer func() {
		if recover() == nil {
			t.Error("a column of pointers was made: the collector would free what they point to")
		}
	}()
	Make[struct{ s string }](much)
}

// What is let go comes back as it was, while others write to it.
func TestLetGoLosesNothing(t *testing.T) {
	columns := make([][]int64, 4)
	done := make(chan bool)
	for i := range columns {
		columns[i] = Make[int64](much)
		go func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for j := range columns[i] {
				columns[i][j] = int64(r.Uint64())
			}
			done <- true
		}()
	}
	for left := len(columns); left > 0; {
		select {
		case <-done:
			left--
		default:
			letGo()
		}
	}
	letGo()
	for i, c := range columns {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		for j, v := range c {
			if want := int64(r.Uint64()); v != want {
				t.Fatalf("column %d: value %d is %d, want %d", i, j, v, want)
			}
		}
		Free(c)
	}
}

// BenchmarkSum reads a column of 8 MB; off the heap its pages come back once in a while.
func BenchmarkSum(b *testing.B) {
	const n = 1 << 20
	b.Run("heap", func(b *testing.B) { benchmarkSum(b, make([]int64, n)) })
	b.Run("off", func(b *testing.B) {
		c := Make[int64](n)
		defer Free(c)
		benchmarkSum(b, c)
	})
}

var sum int64

func benchmarkSum(b *testing.B, c []int64) {
	for i := range c {
		c[i] = int64(i)
	}
	b.SetBytes(int64(8 * len(c)))
	for b.Loop() {
		for _, v := range c {
			sum += v
		}
	}
}

// BenchmarkFill makes a column of 8 MB, writes it and frees it.
func BenchmarkFill(b *testing.B) {
	const n = 1 << 20
	b.SetBytes(8 * n)
	for b.Loop() {
		c := Make[int64](n)
		for i := range c {
			c[i] = int64(i)
		}
		Free(c)
	}
}
