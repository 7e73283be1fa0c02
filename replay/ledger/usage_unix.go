//go:build unix

package ledger

import (
	"io/fs"
	"syscall"
)

// allocated is what a file takes on the disk: some backends make files with holes.
func allocated(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
