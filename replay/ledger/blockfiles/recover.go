package blockfiles

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/blockreel/blockreel/internal/outfile"
)

// Found is called with a block that the index lacks.
type Found func(number uint64, at Location) error

// Open opens the files in cfg.Dir, or begins the first one. last is the location of the last block
// in the index, or zero. Open calls found with each block after it, and cuts off an incomplete
// record at the end, whose length is dropped.
func Open(cfg Config, last Location, found Found) (s *Store, dropped int64, err error) {
	if err := cfg.validate(); err != nil {
		return nil, 0, err
	}
	if !cfg.ReadOnly {
		makeDir := outfile.MakeDir
		if cfg.NoSync {
			makeDir = func(dir string) error { return os.MkdirAll(dir, 0o755) }
		}
		if err := makeDir(cfg.Dir); err != nil {
			return nil, 0, err
		}
	}
	s = &Store{cfg: cfg}
	if dropped, err = s.recover(last, found); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("block files: %w", err), s.Close())
	}
	return s, dropped, nil
}

func (s *Store) recover(last Location, found Found) (dropped int64, err error) {
	newest, some, err := s.newest()
	if err != nil {
		return 0, err
	}
	if !some {
		if last != (Location{}) {
			return 0, fmt.Errorf("%s is in the index, but missing", s.path(last.File))
		}
		if s.cfg.ReadOnly {
			return 0, fmt.Errorf("no files in %s", s.cfg.Dir)
		}
		return 0, s.begin(0)
	}
	mode := os.O_RDWR
	if s.cfg.ReadOnly {
		mode = os.O_RDONLY
	}
	from := int64(last.Offset) + int64(last.Length)
	for number := last.File; ; number++ {
		f, err := os.OpenFile(s.path(number), mode, 0)
		if err != nil {
			return 0, fmt.Errorf("%s is missing, but the index or a later file needs it: %w", s.path(number), err)
		}
		s.file, s.number = f, number
		if err := s.scan(from, found); err != nil {
			return 0, fmt.Errorf("%s: %w", f.Name(), err)
		}
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		rest := info.Size() - s.size
		if number == newest {
			return rest, s.cut(rest)
		}
		if rest != 0 {
			return 0, fmt.Errorf("%s is damaged at byte %d: no block there, but a later file exists", f.Name(), s.size)
		}
		if err := f.Close(); err != nil {
			return 0, err
		}
		s.file, from = nil, 0
	}
}

// newest returns the number of the last file.
func (s *Store) newest() (number uint32, some bool, err error) {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return 0, false, err
	}
	for _, e := range entries {
		var n uint32
		if _, err := fmt.Sscanf(e.Name(), "blockfile_%06d", &n); err != nil || filepath.Base(s.path(n)) != e.Name() {
			continue
		}
		number, some = max(n, number), true
	}
	return number, some, nil
}

// scan reads whole records from an offset on and sets s.size to the end of the last one.
func (s *Store) scan(from int64, found Found) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < from {
		return fmt.Errorf("it was truncated: it has %d bytes, but %d in the index", info.Size(), from)
	}
	s.size = from
	in := bufio.NewReaderSize(io.NewSectionReader(s.file, from, info.Size()-from), 256<<10)
	for {
		b, prefix, err := readRecord(in, info.Size()-s.size)
		if err != nil {
			return err
		}
		p, err := parseRecord(b)
		if err != nil {
			return s.torn(in, prefix+len(b), info.Size(), err)
		}
		at := Location{s.number, uint32(s.size), uint32(prefix + len(b))}
		if err := found(p.number, at); err != nil {
			return err
		}
		s.size += int64(at.Length)
	}
}

// torn decides about an invalid record. A crash leaves such a record at the end; whole blocks after
// it prove damage.
func (s *Store) torn(in *bufio.Reader, length int, size int64, damage error) error {
	if s.cfg.NoSync {
		return nil
	}
	next, _, err := readRecord(in, size-s.size-int64(length))
	if err != nil {
		return err
	}
	if _, err := parseRecord(next); err == nil {
		return fmt.Errorf("the block at byte %d is damaged: %w", s.size, damage)
	}
	return nil
}

// readRecord reads the next record, or nothing if it is incomplete.
func readRecord(in *bufio.Reader, rest int64) (record []byte, prefix int, err error) {
	head, err := in.Peek(binary.MaxVarintLen64)
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	length, prefix := binary.Uvarint(head)
	if prefix <= 0 || length > MaxRecordBytes || int64(length) > rest-int64(prefix) {
		return nil, 0, nil
	}
	in.Discard(prefix) // was peeked at
	record = make([]byte, length)
	_, err = io.ReadFull(in, record)
	return record, prefix, err
}

// cut removes what follows the last whole record.
func (s *Store) cut(rest int64) error {
	if rest == 0 || s.cfg.ReadOnly {
		return nil
	}
	if err := s.file.Truncate(s.size); err != nil {
		return err
	}
	if s.cfg.NoSync {
		return nil
	}
	return s.file.Sync()
}
