package attach

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Source is a file of blocks.
type Source struct {
	Path string
	Open func() (io.ReadCloser, error)
}

// File is the source of the file at path.
func File(path string) Source {
	return Source{Path: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }}
}

// Expand returns the files of a path: the file itself, those that match it as a pattern, or those
// of a directory: its ledger files (blockfile_*), otherwise those of its subdirectories, otherwise
// its *.block files.
func Expand(path string) ([]Source, error) {
	info, err := os.Stat(path)
	if err != nil {
		matches, globErr := filepath.Glob(path)
		if globErr != nil || len(matches) == 0 {
			return nil, fmt.Errorf("there is no file of blocks %s", path)
		}
		return sources(matches), nil
	}
	if !info.IsDir() {
		return []Source{File(path)}, nil
	}
	for _, pattern := range []string{"blockfile_*", "*/blockfile_*", "*.block"} {
		matches, err := within(path, pattern)
		if err != nil {
			return nil, err
		}
		if len(matches) > 0 {
			return sources(matches), nil
		}
	}
	return nil, fmt.Errorf("%s contains no ledger files (blockfile_000000, …) and no *.block files: "+
		"a peer's ledger is in ledgersData/chains/chains/CHANNEL, an orderer's in chains/CHANNEL", path)
}

// within returns the files below dir that match the pattern.
func within(dir, pattern string) ([]string, error) {
	matches, err := filepath.Glob(filepath.Join(escape(dir), pattern))
	if err != nil {
		return nil, fmt.Errorf("look into %s: %w", dir, err)
	}
	return slices.DeleteFunc(matches, func(p string) bool {
		info, err := os.Stat(p)
		return err == nil && info.IsDir()
	}), nil
}

func escape(path string) string {
	if filepath.Separator == '\\' {
		return path // Windows has no escape in a pattern
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

func sources(paths []string) []Source {
	out := make([]Source, len(paths))
	for i, p := range paths {
		out[i] = File(p)
	}
	return out
}
