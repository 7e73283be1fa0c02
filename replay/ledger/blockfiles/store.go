package blockfiles

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/blockreel/blockreel/internal/fabric/blockfile"
	"github.com/blockreel/blockreel/internal/outfile"
)

// MaxFileBytes is the maximum size of Fabric's files, unless one block is larger.
const MaxFileBytes = 64 << 20

// MaxRecordBytes bounds a record: a block and its note.
const MaxRecordBytes = blockfile.MaxBlockBytes + 16<<20

var errClosed = errors.New("block files are closed")

// Config says where the files are.
type Config struct {
	// Dir is made if it does not exist.
	Dir string
	// NoSync leaves out fsync: a machine that dies loses the last blocks.
	NoSync bool
	// ReadOnly changes nothing, also not an incomplete record at the end.
	ReadOnly bool

	fileBytes int64 // MaxFileBytes unless a test says otherwise
}

func (c *Config) validate() error {
	if c.Dir == "" {
		return errors.New("block files need a directory")
	}
	c.fileBytes = cmp.Or(c.fileBytes, MaxFileBytes)
	return nil
}

// A Location is the place of a record. The zero Location is the start of the files.
type Location struct {
	File uint32
	// Offset of the record in the file, and its Length with the prefix.
	Offset, Length uint32
}

const locationSize = 12

// Append appends the location in twelve bytes, whose order is that of the locations.
func (l Location) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, l.File)
	dst = binary.BigEndian.AppendUint32(dst, l.Offset)
	return binary.BigEndian.AppendUint32(dst, l.Length)
}

// ParseLocation is the inverse of Append.
func ParseLocation(b []byte) (Location, error) {
	if len(b) != locationSize {
		return Location{}, fmt.Errorf("location of a block: %d bytes, not %d", len(b), locationSize)
	}
	return Location{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])}, nil
}

// A Store appends blocks and reads them.
type Store struct {
	cfg    Config
	file   *os.File // the last one
	number uint32
	size   int64
	room   []byte
	// old is the last file that Read opened.
	old       *os.File
	oldNumber uint32
	// failed: a write could not be undone.
	failed error
}

func (s *Store) path(file uint32) string {
	return filepath.Join(s.cfg.Dir, fmt.Sprintf("blockfile_%06d", file))
}

// Append stores a payload, usually a marshalled block, and its note on the disk. After an error the
// files are as before, or the Store takes no more.
func (s *Store) Append(number uint64, payload, note []byte) (Location, error) {
	if s.failed != nil {
		return Location{}, s.failed
	}
	// The length before the record is known last.
	const before = binary.MaxVarintLen64
	if cap(s.room) < before {
		s.room = make([]byte, before)
	}
	s.room = appendRecord(s.room[:before], number, payload, note)
	record := len(s.room) - before
	if record > MaxRecordBytes {
		return Location{}, fmt.Errorf("block %d: its record of %d bytes is larger than %d", number, record, MaxRecordBytes)
	}
	var length [before]byte
	n := binary.PutUvarint(length[:], uint64(record))
	out := s.room[before-n:]
	copy(out, length[:n])
	if s.size > 0 && s.size+int64(len(out)) > s.cfg.fileBytes {
		if err := s.begin(s.number + 1); err != nil {
			return Location{}, fmt.Errorf("block %d: %w", number, err)
		}
	}
	if err := s.write(out); err != nil {
		return Location{}, fmt.Errorf("block %d: %w", number, err)
	}
	at := Location{s.number, uint32(s.size), uint32(len(out))}
	s.size += int64(len(out))
	s.forget(record)
	return at, nil
}

// keepRoom is the memory that is kept for the next block.
const keepRoom = 8 << 20

func (s *Store) forget(record int) {
	if record > keepRoom {
		s.room = nil
	}
}

// write appends to the file, or undoes it.
func (s *Store) write(b []byte) error {
	_, err := s.file.WriteAt(b, s.size)
	if err == nil && !s.cfg.NoSync {
		// After a failed fsync nobody knows what is on the disk.
		if err = s.file.Sync(); err != nil {
			s.failed = fmt.Errorf("block files take no more: %w", err)
			return err
		}
	}
	if err == nil {
		return nil
	}
	if back := s.file.Truncate(s.size); back != nil {
		s.failed = fmt.Errorf("block files take no more: %w", errors.Join(err, back))
	}
	return err
}

// begin starts a file.
func (s *Store) begin(number uint32) error {
	f, err := os.OpenFile(s.path(number), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	if err := s.syncDir(); err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if s.file != nil {
		if err := s.file.Close(); err != nil {
			return errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}
	s.file, s.number, s.size = f, number, 0
	return nil
}

func (s *Store) syncDir() error {
	if s.cfg.NoSync {
		return nil
	}
	return outfile.SyncDir(s.cfg.Dir)
}

// Read appends the payload at a location to dst. The note is good until the next call.
func (s *Store) Read(dst []byte, at Location) (payload, note []byte, err error) {
	f, err := s.open(at.File)
	if err != nil {
		return dst, nil, err
	}
	if cap(s.room) < int(at.Length) {
		if at.Length > MaxRecordBytes {
			return dst, nil, fmt.Errorf("%s: no record has %d bytes", f.Name(), at.Length)
		}
		s.room = make([]byte, at.Length)
	}
	b := s.room[:at.Length]
	defer s.forget(len(b))
	if _, err := f.ReadAt(b, int64(at.Offset)); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is shorter than the index says")
		}
		return dst, nil, fmt.Errorf("%s: block at byte %d: %w", f.Name(), at.Offset, err)
	}
	var p parsed
	length, n := binary.Uvarint(b)
	if n <= 0 || length != uint64(len(b)-n) {
		err = errors.New("there is no record of this length")
	} else {
		p, err = parseRecord(b[n:])
	}
	if err == nil {
		dst, err = p.appendPayload(dst)
	}
	if err != nil {
		return dst, nil, fmt.Errorf("%s: block at byte %d: %w", f.Name(), at.Offset, err)
	}
	return dst, p.note, nil
}

// open returns the file for reading.
func (s *Store) open(number uint32) (*os.File, error) {
	if s.file == nil {
		return nil, errClosed
	}
	if number == s.number {
		return s.file, nil
	}
	if s.old != nil && s.oldNumber == number {
		return s.old, nil
	}
	f, err := os.Open(s.path(number))
	if err != nil {
		return nil, err
	}
	if s.old != nil {
		s.old.Close() // was only read
	}
	s.old, s.oldNumber = f, number
	return f, nil
}

// Close closes the files.
func (s *Store) Close() error {
	if s.old != nil {
		s.old.Close() // was only read
		s.old = nil
	}
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file, s.failed = nil, errClosed
	return err
}
