//go:build unix

package replay

import (
	"io/fs"
	"syscall"
)

// allocated is what a file takes on the disk: less than its size where it has holes.
func allocated(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(s.Blocks) * 512 //nolint:unconvert // not an int64 everywhere
	}
	return info.Size()
}
