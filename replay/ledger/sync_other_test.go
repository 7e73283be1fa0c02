//go:build !linux

package ledger

func commitWatched() {}
