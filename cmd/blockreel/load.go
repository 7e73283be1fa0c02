package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/traces"
)

// loadTrace reads a trace from a file, or from stdin when path is "-": the trace file
// or its text twin. It tells on stderr what a damaged one has lost.
func loadTrace(c *cobra.Command, path string) (*traces.Trace, error) {
	sparing()
	in, err := openInput(c, path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	buffered := bufio.NewReaderSize(in, 1<<20)
	var tr *traces.Trace
	if first, _ := buffered.Peek(1); len(first) == 1 && first[0] == '{' {
		tr, err = traces.ReadText(buffered)
	} else {
		tr, err = traces.Read(buffered)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if tr.Loss != nil {
		hint := ""
		if blocks := path + payloadsSuffix; c.Name() != "merge" && isFile(blocks) {
			hint = fmt.Sprintf(" (its blocks are in %s: blockreel merge %s %s -o FILE joins them)", blocks, path, blocks)
		}
		warn(c.ErrOrStderr(), "%s: %s; what follows is of the rest%s", path, tr.Loss, hint)
	}
	return tr, nil
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
