//go:build !unix

package replay

import "io/fs"

func allocated(info fs.FileInfo) int64 { return info.Size() }
