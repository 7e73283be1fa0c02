package replay

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// written returns how many bytes this process has caused to be written to storage so
// far: Linux counts pages as they become dirty, whether by a write or through a mapping,
// and takes back those that are gone before they reach the device.
func written() (int64, bool) {
	stat, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, false
	}
	var counts [2]int64
	for i, name := range []string{"\nwrite_bytes: ", "\ncancelled_write_bytes: "} {
		_, rest, ok := bytes.Cut(stat, []byte(name))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		if counts[i], err = strconv.ParseInt(string(line), 10, 64); !ok || err != nil {
			return 0, false
		}
	}
	return counts[0] - counts[1], true
}

// Magic numbers of file systems in memory, whose pages Linux does not count, and of such
// as write past its page cache; from linux/magic.h.
var uncounted = map[int64]bool{
	0x01021994: true, // tmpfs
	0x858458f6: true, // ramfs
	0x01021997: true, // 9p
	0x65735546: true, // fuse
	0x2fc12fc1: true, // zfs
}

// counts reports whether what is written below dir is in what written returns.
func counts(dir string) bool {
	var s syscall.Statfs_t
	return syscall.Statfs(dir, &s) == nil && !uncounted[int64(uint32(s.Type))]
}
