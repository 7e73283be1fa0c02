package ledger

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// pagesUnseen is how many bytes a ledger may read between two looks at how many are
	// resident, and pagesAround what the kernel maps at least around a page that is read.
	pagesUnseen = 16 << 20
	pagesAround = 64 << 10
)

// pages bounds what an engine that maps its files has of them in the process. The kernel takes
// such pages back when somebody else needs the room, and not before, so that without this the
// process would grow with the ledger. What is let go of stays in the kernel's cache, with
// what has not been written to the disk yet: the next access maps it again.
//
// It is told of every access, on the goroutine that uses the store. In a process with more
// than one ledger each lets go of its own.
type pages struct {
	dir string
	// hold calls use while those of the directory's files for which stays is true are mapped
	// where they are: memory that takes the place of another file's mapping would lose
	// its contents.
	hold   func(use func(stays func(name string) bool))
	statm  *os.File
	unseen int
	// bound is how many bytes of mapped files the process may have resident, its own
	// program among them, before a ledger lets go of those that are its; most is that, or more
	// when the others are not this ledger's.
	bound, most int
}

// mappedDirs counts the stores that have a directory's files mapped. Those of a directory that
// two stores read are nobody's to let go of: the other one may be closing.
var mappedDirs = struct {
	sync.Mutex
	stores map[string]int
}{stores: make(map[string]int)}

// newPages is to be called before the directory's files are mapped, and close after they are
// not any more. Where the system does not say what is resident, it bounds nothing.
func newPages(dir string, bound int, hold func(use func(stays func(name string) bool))) *pages {
	p := &pages{hold: hold, bound: bound, most: bound}
	dir, err := filepath.Abs(dir)
	if err == nil {
		p.dir, err = filepath.EvalSymlinks(dir) // as the kernel has it
	}
	if err == nil {
		p.statm, err = os.Open("/proc/self/statm")
	}
	if err != nil {
		return &pages{}
	}
	mappedDirs.Lock()
	defer mappedDirs.Unlock()
	mappedDirs.stores[p.dir]++
	return p
}

func (p *pages) close() {
	if p.statm == nil {
		return
	}
	p.statm.Close() // it was read
	p.statm = nil
	mappedDirs.Lock()
	defer mappedDirs.Unlock()
	if mappedDirs.stores[p.dir]--; mappedDirs.stores[p.dir] == 0 {
		delete(mappedDirs.stores, p.dir)
	}
}

// touched says that so many bytes in one place have been read.
func (p *pages) touched(bytes int) {
	if p.unseen += bytes + pagesAround; p.unseen >= pagesUnseen {
		p.look()
	}
}

// look lets go of what is too much. It is for after every commit: what a commit touches all over
// the files depends on the engine.
func (p *pages) look() {
	p.unseen = 0
	if p.statm == nil {
		return
	}
	now := p.resident()
	if now >= p.most {
		p.letGo()
		now = p.resident()
		p.most = now + p.bound/2 // what is left is not this ledger's
	}
	p.most = max(p.bound, min(p.most, now+p.bound/2))
}

// resident is how many bytes of files the process has mapped and in memory.
func (p *pages) resident() int {
	var line [128]byte
	n, _ := p.statm.ReadAt(line[:], 0)
	fields := bytes.Fields(line[:n])
	if len(fields) < 3 {
		return 0
	}
	shared, _ := strconv.Atoi(string(fields[2]))
	return shared * os.Getpagesize()
}

func (p *pages) letGo() {
	mappedDirs.Lock()
	defer mappedDirs.Unlock()
	if mappedDirs.stores[p.dir] != 1 {
		return
	}
	p.hold(func(stays func(name string) bool) {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			return
		}
		for line := range bytes.Lines(maps) {
			if from, to, name := p.mapping(line); name != "" && stays(name) {
				// Best effort: what the kernel keeps is counted at the next look.
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
			}
		}
	})
}

// mapping takes a line of maps apart (man 5 proc_pid_maps); name is empty if it is no shared
// mapping of one of the directory's files, or of one that has been deleted.
func (p *pages) mapping(line []byte) (from, to uintptr, name string) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	at := bytes.IndexByte(line, '/')
	if at < 0 || filepath.Dir(string(line[at:])) != p.dir {
		return 0, 0, ""
	}
	fields := bytes.Fields(line[:at])
	if len(fields) != 5 || len(fields[1]) != 4 || fields[1][3] != 's' {
		return 0, 0, ""
	}
	low, high, _ := bytes.Cut(fields[0], []byte("-"))
	a, errLow := strconv.ParseUint(string(low), 16, strconv.IntSize)
	b, errHigh := strconv.ParseUint(string(high), 16, strconv.IntSize)
	if errLow != nil || errHigh != nil || b <= a {
		return 0, 0, ""
	}
	return uintptr(a), uintptr(b), filepath.Base(string(line[at:]))
}
