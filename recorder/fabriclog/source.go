package fabriclog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// sniffBytes of every log are looked at before any is read: enough for a peer's
// banner and configuration, which name the peer.
const sniffBytes = 128 << 10

// maxWindow bounds the memory that a zstd log may ask for.
const maxWindow = 128 << 20

// A logFile is an opened source.
type logFile struct {
	Source
	raw   *countingReader
	text  *bufio.Reader // decompressed
	close []func() error

	first   stamp // of the first dated line
	dated   bool
	id      string // the peer's id from its banner
	pack    string // "gzip", "zstd" or ""
	orderer bool   // given as an orderer's log
}

// countingReader counts what is read, tells progress, and keeps the source's own
// error apart from those of damaged compressed data.
type countingReader struct {
	r        io.Reader
	n        *int64
	err      error
	progress func(int64)
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	*c.n += int64(n)
	if c.progress != nil {
		c.progress(*c.n)
	}
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// open opens s, undoes its compression and sniffs it.
func open(s Source, orderer bool, total *int64, cfg *Config) (*logFile, error) {
	rc, err := s.Open()
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	f := &logFile{Source: s, orderer: orderer, close: []func() error{rc.Close}}
	f.raw = &countingReader{r: rc, n: total, progress: cfg.Progress}
	packed := bufio.NewReaderSize(f.raw, 64<<10)
	magic, _ := packed.Peek(4)
	var text io.Reader = packed
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		f.pack = "gzip"
		z, err := gzip.NewReader(packed)
		if err != nil {
			f.shut()
			return nil, fmt.Errorf("%s: starts like gzip, but cannot be unpacked: %w", s.Path, err)
		}
		f.close, text = append(f.close, z.Close), z
	case len(magic) == 4 && (string(magic) == "\x28\xb5\x2f\xfd" || magic[0]&0xf0 == 0x50 && string(magic[1:]) == "\x2a\x4d\x18"):
		f.pack = "zstd"
		z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			f.shut()
			return nil, fmt.Errorf("%s: starts like zstd, but cannot be unpacked: %w", s.Path, err)
		}
		f.close, text = append(f.close, func() error { z.Close(); return nil }), z
	}
	f.text = bufio.NewReaderSize(text, sniffBytes)
	f.sniff(cfg)
	return f, nil
}

func (f *logFile) shut() {
	for _, c := range slices.Backward(f.close) {
		_ = c() // the log has been read; nothing that Close says changes that
	}
	f.close = nil
}

// sniff finds the first timestamp and the peer's id at the start of the log.
func (f *logFile) sniff(cfg *Config) {
	head, _ := f.text.Peek(sniffBytes) // an error comes back when the log is read
	st := stamps{loc: cfg.Location}
	for line := range bytes.SplitSeq(head, []byte{'\n'}) {
		if !f.dated {
			f.first, f.dated = st.first(line)
		}
		if id := peerID(line); id != "" {
			f.id = id
			break
		}
	}
}

// defaultID is the peer id of the core.yaml that Fabric ships: many peers have it.
const defaultID = "jdoe"

// peerID returns the id in "Starting peer with ID=[ID]" or 1.4's ID=[name:"ID" ].
func peerID(line []byte) string {
	_, rest, ok := bytes.Cut(line, []byte(" peer with ID=["))
	if !ok {
		return ""
	}
	id, _, ok := bytes.Cut(rest, []byte("]"))
	if !ok {
		return ""
	}
	s := strings.Trim(strings.TrimPrefix(string(id), "name:"), "\\\" ")
	if s == defaultID || len(s) > 200 {
		return ""
	}
	return s
}

// rotation matches what log rotation appends: peer.log.1, peer.log-20261122; and
// what it puts before the ending: peer-2026-11-22T09-56-31.348.log.
var rotation = regexp.MustCompile(`(\.(log|txt|out|json))([.-][0-9][0-9T:._-]*)?$|[.-][0-9]{4}-?[0-9]{2}-?[0-9]{2}[0-9T:._-]*$`)

// stem returns the part of a file's name that rotated files of a node share.
func stem(path string) string {
	s := filepath.Base(path)
	if path == "" || path == "-" {
		return ""
	}
	for {
		t := s
		for _, end := range []string{".gz", ".zst", ".zstd"} {
			t = strings.TrimSuffix(t, end)
		}
		t = rotation.ReplaceAllString(t, "")
		if t == s || t == "" {
			return s
		}
		s = t
	}
}

// generic file names say less than the log's own banner: "peer", or the number of
// a shell's /dev/fd/63.
func generic(stem string) bool {
	if strings.Trim(stem, "0123456789") == "" {
		return true
	}
	switch stem {
	case "", "peer", "peers", "log", "logs", "stdout", "stderr", "output", "stdin", "console":
		return true
	}
	return false
}

// byNode sorts the files by node and returns the nodes with their files, oldest
// first. Files are of one node when they have one Name, one path up to what
// rotation changes, or when their banners have one id.
func byNode(files []*logFile) [][]*logFile {
	var groups [][]*logFile
	same := func(a, b *logFile) bool {
		switch {
		case a.Name != "" || b.Name != "":
			return a.Name == b.Name
		case a.id != "" && b.id != "":
			return a.id == b.id
		}
		return stem(a.Path) == stem(b.Path) && filepath.Dir(a.Path) == filepath.Dir(b.Path)
	}
	for _, f := range files {
		i := slices.IndexFunc(groups, func(g []*logFile) bool {
			return slices.ContainsFunc(g, func(o *logFile) bool { return same(f, o) })
		})
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], f)
	}
	for _, g := range groups {
		slices.SortStableFunc(g, func(a, b *logFile) int {
			if !a.dated || !b.dated {
				return 0
			}
			return int(max(-1, min(1, a.first.ns-b.first.ns)))
		})
	}
	return groups
}

// names gives every group of files a name of its own.
func names(groups [][]*logFile, fallback string) []string {
	out := make([]string, len(groups))
	used := make(map[string]int)
	for i, g := range groups {
		out[i] = g[0].Name
		if out[i] == "" {
			out[i] = stem(g[0].Path)
			if generic(out[i]) {
				for _, f := range g {
					if f.id != "" {
						out[i] = f.id
						break
					}
				}
			}
			if out[i] == "" {
				out[i] = fallback
			}
		}
		used[out[i]]++
	}
	for i, g := range groups {
		if used[out[i]] > 1 && g[0].Name == "" {
			if dir := filepath.Base(filepath.Dir(g[0].Path)); dir != "." && dir != "/" {
				out[i] = dir + "/" + out[i]
			}
		}
	}
	taken := make(map[string]bool)
	for i, name := range out {
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s-%d", out[i], n)
		}
		out[i], taken[name] = name, true
	}
	return out
}
