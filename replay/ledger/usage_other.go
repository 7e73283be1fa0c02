//go:build !unix

package ledger

import "io/fs"

func allocated(info fs.FileInfo) int64 { return info.Size() }
