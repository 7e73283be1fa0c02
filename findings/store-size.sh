#!/usr/bin/env bash
# How much disk does a store take? Neither the lengths of its files nor their blocks say it while it is open.
#
# Guessed: the lengths of a store's files, as `ls -l` shows them, are about what it takes on the disk, a little
#   more than the data; and closing a store gives back what it had reserved.
# True: the two stores err in opposite directions (on a file system that can reserve blocks).
#   * Badger, open with the default options and 1 kB in it, has files of 2.28 GB in length that occupy a few kB: the
#     value log and the memtable are mapped files of their largest size. Closed, it is 1 MB in length.
#   * Pebble occupies six times the length of its files: each write-ahead log reserves 4.4 MB and keeps them after
#     the store is closed, also the logs that are full and no longer written to. Only the next open drops them.
#   So a comparison of stores by file length favours Pebble, one by occupied blocks Badger, and a right one
#   closes the store, opens it, closes it again and counts blocks.
# Packages: github.com/dgraph-io/badger/v4 v4.9.6, github.com/cockroachdb/pebble/v2 v2.1.7 (Linux, ext4)
# Seen: 2026-12-01
# Matters where: the sizes of ledgers that are compared, quotas of volumes, `du --apparent-size` in scripts.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat >go.mod <<'MOD'
module storesize

go 1.25
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io/fs"
	"log"
	"math/rand/v2"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/dgraph-io/badger/v4"
)

// size returns the lengths of all files below dir and the bytes that they occupy.
func size(dir string) (length, occupied int64) {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		length += info.Size()
		occupied += info.Sys().(*syscall.Stat_t).Blocks * 512
		return nil
	})
	check(err)
	return length, occupied
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func expect(ok bool, what string) {
	if !ok {
		log.Fatalf("changed: %s does not hold any more", what)
	}
}

func show(when, dir string) (length, occupied int64) {
	length, occupied = size(dir)
	fmt.Printf("%-30s length %13d   occupied %11d\n", when, length, occupied)
	return length, occupied
}

func main() {
	noise := rand.NewChaCha8([32]byte{})
	value := make([]byte, 1000)

	dir := "badger"
	b, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil))
	check(err)
	noise.Read(value)
	check(b.Update(func(tx *badger.Txn) error { return tx.Set([]byte("key"), value) }))
	length, occupied := show("badger, open, 1 kB", dir)
	expect(length > 2<<30 && occupied < 1<<20, "an open badger is long and takes little")
	check(b.Close())
	length, _ = show("badger, closed", dir)
	expect(length < 4<<20, "a closed badger is short")

	dir = "pebble"
	open := func() *pebble.DB {
		p, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}})
		check(err)
		return p
	}
	p := open()
	for i := range 3000 {
		noise.Read(value)
		check(p.Set(fmt.Appendf(nil, "key%d", i), value, pebble.Sync))
	}
	length, occupied = show("pebble, open, 3 MB", dir)
	expect(occupied > 3*length, "an open pebble takes more than its files' lengths")
	check(p.Close())
	length, occupied = show("pebble, closed", dir)
	expect(occupied > 3*length, "a closed pebble takes more than its files' lengths")
	p = open()
	check(p.Close())
	length, occupied = show("pebble, opened and closed again", dir)
	expect(occupied < 2*length, "a pebble that was opened and closed again takes its files' lengths")
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}
GO
go get github.com/dgraph-io/badger/v4@v4.9.6 github.com/cockroachdb/pebble/v2@v2.1.7 2>/dev/null
go list -m github.com/dgraph-io/badger/v4 github.com/cockroachdb/pebble/v2
go run .
