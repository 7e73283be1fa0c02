package network

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
)

// verdicts are what a peer's ledger made of its blocks: the validation codes and the commit
// hash of each, in a temporary file of records as long as the longest, so that nothing of them stays
// in memory. The ledger has them as well, but it answers its committer alone.
type verdicts struct {
	file *os.File
	size int    // of a record
	room []byte // of put
}

// newVerdicts are those of blocks of at most this many transactions.
func newVerdicts(dir string, transactions int) (*verdicts, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, "verdicts-")
	if err != nil {
		return nil, err
	}
	return &verdicts{file: file, size: sha256.Size + transactions}, nil
}

// put keeps the verdict on a block. One goroutine calls it; any may get the verdict
// afterwards.
func (v *verdicts) put(number uint64, codes []byte, commitHash [sha256.Size]byte) error {
	v.room = append(append(v.room[:0], commitHash[:]...), codes...)
	if len(v.room) > v.size {
		return fmt.Errorf("verdict on block %d: %d transactions, where a block has %d at most", number, len(codes), v.size-sha256.Size)
	}
	_, err := v.file.WriteAt(v.room, v.at(number))
	return err
}

// get returns the verdict on a block of this many transactions.
func (v *verdicts) get(number uint64, transactions int) (codes, commitHash []byte, err error) {
	record := make([]byte, sha256.Size+transactions)
	if _, err := v.file.ReadAt(record, v.at(number)); err != nil {
		return nil, nil, fmt.Errorf("verdict on block %d: %w", number, err)
	}
	return record[sha256.Size:], record[:sha256.Size], nil
}

func (v *verdicts) at(number uint64) int64 {
	return int64(number-uint64(firstBlock)) * int64(v.size)
}

func (v *verdicts) close() error {
	return errors.Join(v.file.Close(), os.Remove(v.file.Name()))
}
