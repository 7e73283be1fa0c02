package ledger

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/traces/event"
)

// The file "height" in a ledger's directory says how high it was when it was last closed, and
// so, how high it is at least. Engines take the damaged end of a log, or of the list of their
// files, for one that a crash has cut short, and go on without what was there: with the file,
// that is an error. A ledger with sync=false has none, since it may lose blocks in a crash.
const heightFile = "height"

// checkHeight holds the height against the file.
func (l *Ledger) checkHeight() error {
	if l.dir == "" {
		return nil
	}
	raw, err := os.ReadFile(filepath.Join(l.dir, heightFile))
	if err != nil {
		return nil // closed never, or not by a ledger that syncs
	}
	was, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
	if err == nil && l.height < event.Height(was) {
		return fmt.Errorf("it is damaged: its file %q says height %d, but what is left ends at %d", heightFile, was, l.height)
	}
	return nil
}

// noteHeight writes the file when the store has been closed.
func (l *Ledger) noteHeight() error {
	if l.dir == "" || l.readOnly || l.failed != nil || !l.whole || !Durable(l.spec) {
		return nil
	}
	return outfile.Write(filepath.Join(l.dir, heightFile), func(w io.Writer) error {
		_, err := fmt.Fprintln(w, l.height)
		return err
	})
}
