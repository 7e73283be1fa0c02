package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// isTerminal reports whether talk written to w is read by a person as it comes.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// warn tells of something that weakens the result.
func warn(stderr io.Writer, format string, args ...any) {
	fmt.Fprintf(stderr, "warning: "+format+"\n", args...)
}

// tellWritten says which file was written; of standard output it says nothing.
func tellWritten(c *cobra.Command, path string) {
	if path != "-" {
		fmt.Fprintf(c.ErrOrStderr(), "wrote %s\n", path)
	}
}

// progress is long work shown with an ETA; it is silent off a terminal. The zero
// total means that the end is not known.
func progress(stderr io.Writer, total int64, what string, bytes bool) *progressbar.ProgressBar {
	if !isTerminal(stderr) {
		return progressbar.DefaultSilent(total, what)
	}
	if total <= 0 {
		total = -1
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWriter(stderr),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)
}

func stdinIsTerminal() bool { return term.IsTerminal(int(os.Stdin.Fd())) }
