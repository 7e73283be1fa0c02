package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// loadTrace reads a trace from a file, or from stdin when path is "-": the trace file
// or its text form. Of a trace file it reads the values of these kinds, of all when none is given.
// It warns on stderr of what a damaged one has lost.
func loadTrace(c *cobra.Command, path string, kinds ...event.Kind) (*traces.Trace, error) {
	sparing()
	if isDirectory(path) {
		return nil, inDirectory(path)
	}
	in, err := openInput(c, path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	buffered := bufio.NewReaderSize(in, 1<<20)
	var tr *traces.Trace
	first, _ := buffered.Peek(1)
	switch text := len(first) == 1 && first[0] == '{'; {
	case text && isCostModel(buffered):
		return nil, fmt.Errorf("%s is a cost model and no trace: give it to sweep or replay with --cost, beside a trace", path)
	case text:
		tr, err = traces.ReadText(buffered)
	default:
		tr, err = traces.ReadConfig(buffered, traces.ReaderConfig{Kinds: kinds})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if tr.Loss != nil {
		warn(c.ErrOrStderr(), "%s: %s; what follows is of the rest", path, tr.Loss)
	}
	return tr, nil
}

// isCostModel looks at the beginning of a text.
func isCostModel(text *bufio.Reader) bool {
	head, _ := text.Peek(64)
	return bytes.Contains(head, []byte(`"blockreel_cost"`))
}

// isTrace reports whether a file is a trace, which is not looked at further.
func isTrace(path string) bool {
	if !isFile(path) { // what comes from a pipe is gone once it is read
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = traces.NewReader(f, traces.ReaderConfig{SkipData: true})
	return err == nil
}

// inDirectory is the error of a directory where a trace is wanted.
func inDirectory(path string) error {
	pattern := filepath.Join(path, "*.reel")
	if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
		return fmt.Errorf("%s is a directory: name the traces in it, %s", path, pattern)
	}
	return fmt.Errorf("%s is a directory, and there is no .reel file in it: name a trace", path)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// openInput opens a file, or stdin when path is "-".
func openInput(c *cobra.Command, path string) (io.ReadCloser, error) {
	if path != "-" {
		return os.Open(path)
	}
	in := c.InOrStdin()
	if isTerminal(c.OutOrStdout()) && in == os.Stdin && stdinIsTerminal() {
		return nil, errors.New("standard input is the keyboard: pipe a trace into it, or name a file")
	}
	return io.NopCloser(in), nil
}

// saveTrace writes a trace to path, or to stdout when path is "-".
func saveTrace(c *cobra.Command, path string, tr *traces.Trace) error {
	if path == "-" {
		return traces.Write(c.OutOrStdout(), tr)
	}
	return traces.WriteFile(path, tr)
}
