package offheap

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// files has every long column of the process.
var files = mappings{at: map[uintptr][]byte{}}

// mappings are mapped files by their addresses.
type mappings struct {
	mu sync.Mutex
	at map[uintptr][]byte
	// trimming: a goroutine lets pages go.
	trimming bool
}

// get maps a new file of n zeros; nil when that cannot be.
func (m *mappings) get(n int) []byte {
	f, err := unnamed()
	if err != nil {
		return nil
	}
	defer f.Close() // the mapping has the file
	if zero(f, n) != nil {
		return nil
	}
	b, err := unix.Mmap(int(f.Fd()), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at[uintptr(unsafe.Pointer(unsafe.SliceData(b)))] = b
	if !m.trimming {
		m.trimming = true
		go m.trim()
	}
	return b
}

// zeros are written a megabyte at a time: so the system's cache holds them in large pieces, each
// of which is mapped at its first touch.
var zeros [1 << 20]byte

// zero writes n zeros. A hole would do as well until the disk is full: a page that finds no room
// when it is touched ends the process. And the pages of a hole come one by one, each four times as
// slowly as one of the heap.
func zero(f *os.File, n int) error {
	for n > 0 {
		m, err := f.Write(zeros[:min(n, len(zeros))])
		if err != nil {
			return err
		}
		n -= m
	}
	return nil
}

// put unmaps the file at this address, if there is one.
func (m *mappings) put(address uintptr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b, ok := m.at[address]; ok {
		delete(m.at, address)
		if err := unix.Munmap(b); err != nil {
			panic("offheap: " + err.Error()) // the address and the length are the mapping's own
		}
	}
}

// trimEvery is the time between two looks at what is resident. In it a loop over a column
// touches some 50 MB.
const trimEvery = 10 * time.Millisecond

// trim lets the pages of all files go whenever the process has more than resident bytes beyond
// the least that it had. They stay in the system's cache, or go to the disk, and come back when
// they are touched.
func (m *mappings) trim() {
	statm, err := os.Open("/proc/self/statm")
	if err != nil {
		return // what is resident is not known, and the system's to bound
	}
	defer statm.Close()
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	least := shared(statm)
	for range ticker.C {
		now := shared(statm)
		least = min(least, now)
		if !m.letGo(now-least > resident) {
			return
		}
	}
}

// letGo lets all pages go if it shall, and reports whether there are files.
func (m *mappings) letGo(shall bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.at) == 0 {
		m.trimming = false
		return false
	}
	if shall {
		for _, b := range m.at {
			// Of a shared mapping this drops no data, whatever its name says. Where it
			// fails, more stays resident.
			_ = unix.Madvise(b, unix.MADV_DONTNEED)
		}
	}
	return true
}

// shared is how many bytes of mapped files the process has in its memory; statm tells it as
// the third of its numbers, in pages.
func shared(statm *os.File) int {
	var buf [128]byte
	n, _ := statm.ReadAt(buf[:], 0)
	fields := bytes.Fields(buf[:n])
	if len(fields) < 3 {
		return 0
	}
	pages, _ := strconv.Atoi(string(fields[2]))
	return pages * os.Getpagesize()
}

// unnamed makes a file without a name in the directory for temporary files, or in /var/tmp when
// that one is in memory itself.
func unnamed() (*os.File, error) {
	dir := os.TempDir()
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil && fs.Type == unix.TMPFS_MAGIC {
		dir = "/var/tmp"
	}
	f, err := os.CreateTemp(dir, "blockreel-column-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
