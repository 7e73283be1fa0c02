//go:build !linux && !darwin && !freebsd

package ledger

import "io/fs"

func freeBytes(string) (uint64, bool) { return 0, false }

func allocatedBytes(info fs.FileInfo) int64 { return info.Size() }
