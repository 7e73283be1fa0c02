package attach

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/blockreel/blockreel/internal/fabric/blockfile"
	"github.com/blockreel/blockreel/traces/event"
)

// A FileReport says what a file contained.
type FileReport struct {
	Path string
	// Layout is the form of the file, such as "ledger file"; empty if the file is empty.
	Layout  string
	Channel string
	// Validated reports whether the blocks carry validation flags: it is a peer's copy.
	Validated bool
	// Skipped reports whether the file is of another channel than Config.Channel; only
	// its first block was read.
	Skipped bool
	// First is the number of the first block, and Blocks counts all that were read.
	First  event.BlockNum
	Blocks int64
	// Partial is the number of bytes of a last record that is not complete.
	Partial int64
}

// ErrUnknown is the error for a file without blocks in a known layout.
var ErrUnknown = blockfile.ErrUnknown

// sniff reads the first block of every file and returns them in the order in which
// they are to be read.
func (a *attacher) sniff() ([]file, error) {
	var files []file
	for _, s := range a.cfg.Files {
		f := file{source: s, FileReport: FileReport{Path: s.Path}}
		if err := f.sniff(); err != nil {
			return nil, err
		}
		switch {
		case f.empty:
		case a.cfg.Channel != "" && f.Channel != a.cfg.Channel:
			f.Skipped = true
		case a.channels[f.Channel] == nil:
			return nil, &BlockError{f.Path, f.Channel, f.First, fmt.Errorf("the trace carries %s: are these the files of that channel? "+
				"(a file can be passed over by naming the one channel to take)", strings.Join(a.names, ", "))}
		}
		files = append(files, f)
	}
	slices.SortStableFunc(files, func(x, y file) int {
		peerFirst := 0
		if x.Validated != y.Validated {
			peerFirst = 1
			if x.Validated {
				peerFirst = -1
			}
		}
		return cmp.Or(cmp.Compare(x.Channel, y.Channel), peerFirst, cmp.Compare(x.First, y.First))
	})
	return files, nil
}

type file struct {
	FileReport
	source Source
	empty  bool // of whole blocks
}

func (f *file) sniff() error {
	r, err := f.open(nil)
	if err != nil {
		return err
	}
	defer r.Close()
	f.Layout = r.Layout().String()
	b, err := r.Next()
	if errors.Is(err, io.EOF) {
		f.empty, f.Partial = true, r.Partial()
		return nil
	}
	if err != nil {
		return f.wrap(err)
	}
	f.First, f.Validated = event.BlockNum(b.Number), b.Flags() != nil
	if f.Channel, err = b.ChannelID(); err != nil {
		return f.wrap(err)
	}
	return nil
}

// opened is a file and the Reader of it.
type opened struct {
	*blockfile.Reader
	file io.Closer
}

func (o opened) Close() {
	o.Reader.Close()
	o.file.Close() // it was only read
}

// open opens the file; count, if it is not nil, is called for every read.
func (f *file) open(count func(int)) (opened, error) {
	in, err := f.source.Open()
	if err != nil {
		return opened{}, fmt.Errorf("open blocks: %w", err)
	}
	r, err := blockfile.NewReader(counter{in, count})
	if err != nil {
		in.Close()
		return opened{}, f.wrap(err)
	}
	return opened{r, in}, nil
}

func (f *file) wrap(err error) error {
	if errors.Is(err, blockfile.ErrUnknown) {
		return fmt.Errorf("%s contains no blocks: %w", f.Path, err)
	}
	return fmt.Errorf("%s: %w", f.Path, err)
}

type counter struct {
	io.Reader
	count func(int)
}

func (c counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if c.count != nil {
		c.count(n)
	}
	return n, err
}
