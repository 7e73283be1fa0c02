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

// The file "height" has the height at which the ledger was last closed. Engines take the damaged
// end of a log for one that a crash has cut short, and continue without it; then the height is
// lower. A ledger with sync=false has no such file, since it may lose blocks in a crash.
const heightFile = "height"

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
		return fmt.Errorf("damaged: its file %q says height %d, but the ledger ends at %d", heightFile, was, l.height)
	}
	return nil
}

func (l *Ledger) noteHeight() error {
	if l.dir == "" || l.readOnly || l.failed != nil || !l.whole || !Durable(l.spec) {
		return nil
	}
	return outfile.Write(filepath.Join(l.dir, heightFile), func(w io.Writer) error {
		_, err := fmt.Fprintln(w, l.height)
		return err
	})
}
