// Package offheap gives memory to columns: slices of plain numbers, one a block, that are as
// long as a trace.
//
// A short column is a slice like any other. A long one lies in a file of its own, mapped and
// without a name, in the directory for temporary files: the heap, which the collector walks and
// doubles, does not grow with the length of a trace, and of what is mapped no more than
// resident bytes stay in the process's memory beside what it touches just now. Where files cannot
// be mapped, or the disk is full, long columns are slices like any other too.
//
// A long column is not the collector's. It stays until Free, or until the process ends; what is
// needed as long as the process runs need not be freed.
package offheap

import (
	"fmt"
	"iter"
	"reflect"
	"sync/atomic"
	"unsafe"
)

// resident is how many bytes of long columns may stay in the process's memory.
const resident = 48 << 20

// kept counts those who want columns on the heap.
var kept atomic.Int32

// KeepOnHeap has columns that are made from now on lie on the heap, until end is called: it is for
// who measures what the process writes to the disk.
func KeepOnHeap() (end func()) {
	kept.Add(1)
	return func() { kept.Add(-1) }
}

// Make returns a column of n zeros. T must be free of pointers.
func Make[T any](n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	if n*size < long || kept.Load() > 0 {
		return make([]T, n)
	}
	if t := reflect.TypeFor[T](); !plain(t) {
		panic(fmt.Sprintf("offheap: %v holds pointers, which the collector would not see", t))
	}
	b := files.get(n * size)
	if b == nil {
		return make([]T, n)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// Append appends v to c, which it takes over: where there is no room, c is freed. v is no part
// of c.
func Append[T any](c []T, v ...T) []T {
	if len(v) > cap(c)-len(c) {
		c = grown(c, len(v))
	}
	return append(c, v...)
}

// grown moves c to where there is room for n more.
func grown[T any](c []T, n int) []T {
	to := Make[T](max(64, len(c)+max(len(c), n)))[:len(c)]
	copyAll(to, c)
	Free(c)
	return to
}

// Clone returns a copy of c.
func Clone[T any](c []T) []T {
	to := Make[T](len(c))
	copyAll(to, c)
	return to
}

func copyAll[T any](to, from []T) {
	for piece := range Pieces(from) {
		to = to[copy(to, piece):]
	}
}

// Pieces divides c for a loop that does so little with each value that it would touch more in a
// moment than what may be resident.
func Pieces[T any](c []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for len(c) > Breath {
			if !yield(c[:Breath]) {
				return
			}
			c = c[Breath:]
			Breathe()
		}
		yield(c)
	}
}

// Breathe holds what of the long columns is resident to its bound. Somebody does it a hundred
// times a second; loops that are run on all processors at once, or that are very fast, do it
// themselves once in a while.
func Breathe() { files.breathe() }

// Breath is how many values of a few columns such a loop may take between two breaths.
const Breath = 1 << 19

// Free gives back the memory of a column, of which c has at least the first value; neither it nor any
// part of it may be used after that. Of any other slice it does nothing.
func Free[T any](c []T) {
	if cap(c) > 0 {
		files.put(uintptr(unsafe.Pointer(unsafe.SliceData(c))))
	}
}

// InUse is how many bytes of columns lie off the heap.
func InUse() int { return files.inUse() }

// plain reports whether values of t hold no pointers.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if !plain(f.Type) {
				return false
			}
		}
		return true
	}
	return false
}
