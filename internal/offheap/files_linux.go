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
	// breathing: a goroutine lets pages go.
	breathing bool
	statm     *os.File // nil: not opened yet, or what is resident is not known
	least     int      // bytes that the process had of mapped files
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
	if !m.breathing {
		m.breathing = true
		m.begin()
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

// breatheEvery is the time between two looks at what is resident. In it a loop over a column
// touches some 50 MB.
const breatheEvery = 10 * time.Millisecond

// begin starts the goroutine that breathes while there are files.
func (m *mappings) begin() {
	if m.statm == nil {
		m.statm, _ = os.Open("/proc/self/statm") // without it nothing is known to be too much
		m.least = m.shared()
	}
	go func() {
		ticker := time.NewTicker(breatheEvery)
		defer ticker.Stop()
		for range ticker.C {
			if m.breathe(); m.end() {
				return
			}
		}
	}()
}

// end reports whether there are no files any more, for whose sake somebody breathes.
func (m *mappings) end() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.breathing = len(m.at) > 0
	return !m.breathing
}

// breathe lets the pages of all files go if the process has more than resident bytes beyond the
// least that it had. They stay in the system's cache, or go to the disk, and come back when they
// are touched.
func (m *mappings) breathe() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.at) == 0 {
		return
	}
	now := m.shared()
	if m.least = min(m.least, now); now-m.least > resident {
		m.letGo()
	}
}

func (m *mappings) inUse() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.at {
		n += len(b)
	}
	return n
}

func (m *mappings) letGo() {
	for _, b := range m.at {
		// Of a shared mapping this drops no data, whatever its name says. Where it
		// fails, more stays resident.
		_ = unix.Madvise(b, unix.MADV_DONTNEED)
	}
}

// shared is how many bytes of mapped files the process has in its memory; statm tells it as
// the third of its numbers, in pages.
func (m *mappings) shared() int {
	if m.statm == nil {
		return 0
	}
	var buf [128]byte
	n, _ := m.statm.ReadAt(buf[:], 0)
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
