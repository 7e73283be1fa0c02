package attach

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blockfile"
	"github.com/blockreel/blockreel/recorder/fabriclog"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

const testdata = "../../internal/fabric/blockfile/testdata/"

// recorded is a trace of n blocks of channel ch1 from first on, each of so many
// transactions.
func recorded(first event.BlockNum, n int, transactions int64) *traces.Trace {
	t := &traces.Trace{Header: traces.Header{Tool: "test", Source: "logs", Streams: []traces.Stream{{Channel: "ch1", Peer: "peer0"}}}}
	tl := traces.NewTimeline(t.Streams[0], first, n)
	for i := range n {
		tl.MakeColumn(event.Offered)[i] = int64(i) * 1e6
		tl.MakeColumn(event.Committed)[i] = int64(i)*2e6 + 5e6
		tl.MakeColumn(event.Transactions)[i] = transactions
	}
	t.Timelines = []*traces.Timeline{tl}
	return t
}

// result is what a trace file holds.
type result struct {
	*traces.Trace
	payloads map[event.BlockNum][]byte
	report   Report
	file     []byte
}

func write(t testing.TB, tr *traces.Trace, cfg Config) (result, error) {
	t.Helper()
	var b bytes.Buffer
	report, err := Write(context.Background(), &b, tr, cfg)
	if err != nil {
		return result{}, err
	}
	verified, err := traces.Verify(bytes.NewReader(b.Bytes()))
	if err != nil || len(verified.Findings) > 0 {
		t.Fatalf("the trace is not sound: %v, %+v", err, verified)
	}
	out, err := traces.Read(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	r := result{out, map[event.BlockNum][]byte{}, report, b.Bytes()}
	for p, err := range payloads(t, r.file) {
		if err != nil {
			t.Fatal(err)
		}
		r.payloads[p.Block] = slices.Clone(p.Bytes)
	}
	return r, nil
}

func payloads(t testing.TB, file []byte) func(func(traces.Payload, error) bool) {
	t.Helper()
	r, err := traces.NewReader(bytes.NewReader(file), traces.ReaderConfig{SkipData: true})
	if err != nil {
		t.Fatal(err)
	}
	return r.Payloads()
}

func attached(t testing.TB, tr *traces.Trace, cfg Config) result {
	t.Helper()
	r, err := write(t, tr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r result) value(k event.Kind, n event.BlockNum) int64 {
	return r.Timelines[0].Value(k, int(n-r.Timelines[0].First))
}

func (r result) notes(kind string) string {
	var texts []string
	for _, n := range r.Notes {
		if n.Kind == kind {
			texts = append(texts, n.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// TestSample attaches the start of a peer's real ledger file to the trace of its logs.
func TestSample(t *testing.T) {
	log := func(name string) []fabriclog.Source {
		path := filepath.Join("testdata", name)
		return []fabriclog.Source{{Path: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }}}
	}
	tr, _, err := fabriclog.Read(t.Context(), fabriclog.Config{Orderers: log("orderer.log"), Peers: log("peer.log")})
	if err != nil {
		t.Fatal(err)
	}
	times := slices.Clone(tr.Timelines[0].Column(event.Committed))
	r := attached(t, tr, Config{Files: []Source{File(testdata + "peer-blockfile_000000.zst")}})
	if len(r.payloads) != 22 || !slices.Equal(r.Timelines[0].Column(event.Committed), times) {
		t.Fatalf("%d payloads; times %v", len(r.payloads), r.Timelines[0].Column(event.Committed))
	}
	var invalid int64
	for n, p := range r.payloads {
		b, err := fabric.ParseBlock(p)
		if err != nil || b.Number != uint64(n) {
			t.Fatalf("payload of block %d is block %d: %v", n, b.Number, err)
		}
		if n < r.Timelines[0].First {
			continue // of the channel's setting up
		}
		if r.value(event.Bytes, n) != int64(len(p)) || r.value(event.Writes, n) != 20 || r.value(event.Transactions, n) != 10 {
			t.Errorf("block %d: %d bytes, %d writes", n, r.value(event.Bytes, n), r.value(event.Writes, n))
		}
		for _, flag := range b.Flags() {
			if flag != 0 {
				invalid++
			}
		}
	}
	c, f := r.report.Channels[0], r.report.Files[0]
	if invalid == 0 || c.Invalid != invalid || c.Blocks != 18 || c.Earlier != 4 || c.Before != 0 || c.After != 0 || c.Without != 2 || c.Validated != 18 ||
		f.Partial != 3000 || f.Blocks != 22 || !f.Validated {
		t.Errorf("%d invalid transactions, report %+v", invalid, r.report)
	}
	if w := r.notes(traces.NoteWarning); !strings.Contains(w, "2 of 20 blocks "+unfound) {
		t.Errorf("warnings: %s", w)
	}
}

// TestAnyFiles holds that the trace does not depend on how the blocks were divided into
// files, packed, and named.
func TestAnyFiles(t *testing.T) {
	m := maker{channel: "ch1", flags: true}
	blocks := m.blocks(40)
	want := attached(t, recorded(4, 30, 2), Config{Files: []Source{content("all", blocks...)}})
	if len(want.payloads) != 34 || want.report.Channels[0].Earlier != 4 || want.report.Channels[0].After != 6 {
		t.Fatalf("%d payloads, report %+v", len(want.payloads), want.report)
	}
	var single []Source
	for i := range blocks {
		single = append(single, raw("fetched", blocks[len(blocks)-1-i]))
	}
	for name, files := range map[string][]Source{
		"parts":   {content("b", blocks[20:]...), content("a", blocks[:20]...), raw("empty", nil)},
		"fetched": single,
		"packed":  {packed(t, content("all", blocks...), "gzip"), packed(t, content("more", blocks[:7]...), "zstd")},
	} {
		got := attached(t, recorded(4, 30, 2), Config{Files: files})
		if !bytes.Equal(got.file, want.file) {
			t.Errorf("%s: another trace: %d payloads, report %+v", name, len(got.payloads), got.report)
		}
	}
}

func packed(t *testing.T, s Source, how string) Source {
	in, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if how == "zstd" {
		if w, err = zstd.NewWriter(&b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.Copy(w, in); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return raw(s.Path, b.Bytes())
}

// TestContradictions: what does not fit is an error that names the block, and where.
func TestContradictions(t *testing.T) {
	chain := maker{channel: "ch1", flags: true}
	blocks := chain.blocks(20)
	fork := maker{channel: "ch1", number: 10, previous: bytes.Repeat([]byte{7}, 32), flags: true}
	forked := fork.blocks(10)
	other := maker{channel: "ch2", flags: true}
	others := other.blocks(20)
	astray := maker{channel: "ch2", number: 10, previous: mustHash(t, blocks[9])}
	damaged := slices.Clone(blocks[7])
	damaged[bytes.Index(damaged, []byte("signature"))] ^= 1
	for name, c := range map[string]struct {
		files []Source
		cfg   Config
		err   error
		block event.BlockNum
		text  string
	}{
		"fork in a file":       {files: []Source{content("f", append(slices.Clone(blocks[:10]), forked...)...)}, err: ErrFork, block: 10},
		"fork in the next":     {files: []Source{content("a", blocks[:10]...), content("b", forked...)}, err: ErrFork, block: 10},
		"two copies":           {files: []Source{content("a", blocks...), content("b", forked...)}, err: ErrFork, block: 10},
		"hole in a file":       {files: []Source{content("f", slices.Concat(blocks[:9], blocks[10:])...)}, err: ErrHole, block: 10},
		"hole between":         {files: []Source{content("a", blocks[:9]...), content("b", blocks[12:]...)}, err: ErrHole, text: "block 9 "},
		"out of order":         {files: []Source{content("f", blocks[5], blocks[4])}, text: "block 4 of channel ch1: it follows block 5"},
		"another channel":      {files: []Source{content("f", others...)}, text: "block 0 of channel ch2: the trace carries ch1"},
		"channel midway":       {files: []Source{content("f", append(slices.Clone(blocks[:10]), astray.next(2, 30))...)}, text: "block 10 of channel ch2: the blocks before it are of channel ch1"},
		"no such channel":      {files: []Source{content("f", others...)}, cfg: Config{Channel: "ch2"}, text: "no channel ch2"},
		"all passed over":      {files: []Source{content("f", others...)}, cfg: Config{Channel: "ch1"}, text: "no blocks of the trace's channels"},
		"transactions":         {files: []Source{content("f", wide(blocks)...)}, err: ErrContradiction, block: 6, text: "3 transactions, and ch1@peer0 had 2"},
		"changed":              {files: []Source{content("f", slices.Concat(blocks[:7], [][]byte{damaged}, blocks[8:])...)}, err: fabric.ErrDataHash, block: 7},
		"not blocks":           {files: []Source{raw("notes.txt", []byte("hello, world"))}, err: blockfile.ErrUnknown, text: "notes.txt"},
		"damaged in the midst": {files: []Source{raw("f", append(bytes.Clone(slurp(t, content("f", blocks[:5]...))), 0, 0, 0))}, text: "f: no block at byte"},
		"no file":              {text: "no file of blocks"},
	} {
		c.cfg.Files = c.files
		_, err := write(t, recorded(4, 16, 2), c.cfg)
		var block *BlockError
		switch {
		case err == nil:
			t.Errorf("%s: no error", name)
		case c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text):
			t.Errorf("%s: %v", name, err)
		case c.block != 0 && (!errors.As(err, &block) || block.Block != c.block):
			t.Errorf("%s: %v, want block %d", name, err, c.block)
		}
	}
}

// wide returns a chain that goes on from block 5 with a block of three transactions.
func wide(blocks [][]byte) [][]byte {
	b, _ := fabric.ParseBlock(blocks[5])
	hash := b.HeaderHash()
	m := maker{channel: "ch1", number: 6, previous: hash[:], flags: true}
	return append(slices.Clone(blocks[:6]), m.next(3, 30))
}

func mustHash(t *testing.T, block []byte) []byte {
	b, err := fabric.ParseBlock(block)
	if err != nil {
		t.Fatal(err)
	}
	h := b.HeaderHash()
	return h[:]
}

func slurp(t *testing.T, s Source) []byte {
	in, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLate: blocks of another run with the same numbers and as many transactions are
// told by their dates, if these lie behind the trace's and there is no commit hash.
func TestLate(t *testing.T) {
	for seconds, want := range map[uint64]int64{0: 0, 1_763_000_000: 0, 1_763_805_400: 0, 1_763_805_400 + 59: 0, 1_763_805_400 + 100: 20} {
		tr := recorded(0, 20, 2)
		tr.Base = time.Unix(1_763_805_400, 0)
		m := maker{channel: "ch1", made: seconds}
		r := attached(t, tr, Config{Files: []Source{content("f", m.blocks(20)...)}})
		if got := r.report.Channels[0].Late; got != want || strings.Contains(r.notes(traces.NoteWarning), "another run") != (want > 0) {
			t.Errorf("transactions of %d: %d late, %s", seconds, got, r.notes(traces.NoteWarning))
		}
	}
}

// TestCopies: of two copies of a block the peer's is taken, whatever the order of the files.
func TestCopies(t *testing.T) {
	peer, orderer := maker{channel: "ch1", flags: true}, maker{channel: "ch1"}
	a, b := peer.blocks(20), orderer.blocks(24)
	r := attached(t, recorded(0, 24, 2), Config{Files: []Source{content("orderer", b...), content("peer", a...)}})
	for n := range event.BlockNum(24) {
		want := b[n]
		if n < 20 {
			want = a[n]
		}
		if !bytes.Equal(r.payloads[n], want) || r.value(event.Bytes, n) != int64(len(want)) {
			t.Errorf("block %d: %d bytes", n, len(r.payloads[n]))
		}
	}
	if c := r.report.Channels[0]; c.Repeated != 20 || c.Validated != 20 || !strings.Contains(r.notes(traces.NoteFact), "on 20 of 24 blocks, 20 transactions found invalid") {
		t.Errorf("report %+v, notes %s", c, r.notes(traces.NoteFact))
	}
}

// TestAgain attaches to a trace that has payloads already.
func TestAgain(t *testing.T) {
	orderer, peer := maker{channel: "ch1"}, maker{channel: "ch1", flags: true}
	a, b := orderer.blocks(20), peer.blocks(20)
	half := attached(t, recorded(0, 20, 2), Config{Files: []Source{content("orderer", a[:12]...)}})
	if half.report.Channels[0].Without != 8 || !strings.Contains(half.notes(traces.NoteWarning), "8 of 20") {
		t.Fatalf("report %+v", half.report)
	}
	whole := attached(t, half.Trace, Config{Files: []Source{content("peer", b...)}, Stored: payloads(t, half.file)})
	for n := range event.BlockNum(20) {
		want := a[n]
		if n >= 12 {
			want = b[n]
		}
		if !bytes.Equal(whole.payloads[n], want) {
			t.Errorf("block %d: %d bytes", n, len(whole.payloads[n]))
		}
	}
	if c := whole.report.Channels[0]; c.Stored != 12 || c.Blocks != 20 || c.Without != 0 || c.Invalid != 20 || whole.notes(traces.NoteWarning) != "" {
		t.Errorf("report %+v, warnings %s", c, whole.notes(traces.NoteWarning))
	}
	foreign := maker{channel: "ch1", previous: bytes.Repeat([]byte{7}, 32)}
	half = attached(t, recorded(0, 20, 2), Config{Files: []Source{content("later", b[12:]...)}})
	_, err := write(t, half.Trace, Config{Files: []Source{content("f", foreign.blocks(12)...)}, Stored: payloads(t, half.file)})
	var block *BlockError
	if !errors.Is(err, ErrFork) || !errors.As(err, &block) || block.Block != 11 {
		t.Errorf("blocks of another chain before those of the trace: %v", err)
	}
}

// TestCommitHashes: the peer's copies must have the commit hashes that its log tells, and
// the number of refused transactions that it has told.
func TestCommitHashes(t *testing.T) {
	orderer := maker{channel: "ch1"}
	plain := orderer.blocks(20)
	var peer [][]byte
	tr := recorded(0, 20, 2)
	told := tr.Timelines[0].MakeColumn(event.CommitHash)
	for i, raw := range plain {
		b, err := fabric.ParseBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256([]byte{byte(i)})
		peer = append(peer, b.Committed([]byte{11, 0}, hash[:]))
		told[i] = int64(hash[0])<<16 | int64(hash[1])<<8 | int64(hash[2])
	}
	told[3] = event.Missing
	copied := func() *traces.Trace {
		c := *tr
		c.Notes = nil
		tl := traces.NewTimeline(tr.Streams[0], 0, 20)
		for k := range event.Kind(event.NumKinds) {
			if column := tr.Timelines[0].Column(k); column != nil {
				copy(tl.MakeColumn(k), column)
			}
		}
		c.Timelines = []*traces.Timeline{tl}
		return &c
	}
	both := Config{Files: []Source{content("orderer", plain...), content("peer", peer[:12]...)}}
	r := attached(t, copied(), both)
	if c := r.report.Channels[0]; c.Hashed != 11 || c.Invalid != 12 || r.value(event.InvalidTransactions, 11) != 1 ||
		r.value(event.InvalidTransactions, 12) != event.Missing || !strings.Contains(r.notes(traces.NoteFact), "of 11 blocks "+compared) {
		t.Errorf("report %+v, notes %s", c, r.notes(traces.NoteFact))
	}
	r = attached(t, copied(), Config{Files: both.Files[:1]})
	if c := r.report.Channels[0]; c.Hashed != 0 || !strings.Contains(r.notes(traces.NoteFact), "the blocks have no commit hashes, as a peer's copies have them") {
		t.Errorf("report %+v, notes %s", c, r.notes(traces.NoteFact))
	}
	// The notes of a second attaching replace those of the first.
	r = attached(t, r.Trace, Config{Files: both.Files[1:], Stored: payloads(t, r.file)})
	if c := r.report.Channels[0]; c.Hashed != 11 || c.Repeated != 12 || strings.Contains(r.notes(traces.NoteFact), uncompared) {
		t.Errorf("report %+v, notes %s", c, r.notes(traces.NoteFact))
	}
	for name, spoil := range map[string]func(*traces.Timeline){
		"commit hash begins with 4bf512, and that of ch1@peer0 with 4bf513": func(tl *traces.Timeline) { tl.Column(event.CommitHash)[1]++ },
		"1 refused transactions, and ch1@peer0 had 2":                       func(tl *traces.Timeline) { tl.MakeColumn(event.InvalidTransactions)[1] = 2 },
	} {
		wrong := copied()
		spoil(wrong.Timelines[0])
		var block *BlockError
		if _, err := write(t, wrong, both); !errors.Is(err, ErrContradiction) || !errors.As(err, &block) || block.Block != 1 || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSizesOnly(t *testing.T) {
	m := maker{channel: "ch1", flags: true}
	files := []Source{content("f", m.blocks(10)...)}
	full := attached(t, recorded(0, 10, 2), Config{Files: files})
	sizes := attached(t, recorded(0, 10, 2), Config{Files: files, SizesOnly: true})
	if len(full.payloads) != 10 || len(sizes.payloads) != 0 || !slices.Equal(full.Timelines[0].Column(event.Bytes), sizes.Timelines[0].Column(event.Bytes)) {
		t.Errorf("%d and %d payloads", len(full.payloads), len(sizes.payloads))
	}
}

// TestPeersOfOneChannel: both peers' streams learn of a block, which is stored once.
func TestPeersOfOneChannel(t *testing.T) {
	tr := recorded(0, 10, 2)
	second := recorded(5, 10, 2).Timelines[0]
	tr.Streams = append(tr.Streams, traces.Stream{Channel: "ch1", Peer: "peer1"}, traces.Stream{Channel: "ch2", Peer: "peer1"})
	second.Stream = tr.Streams[1]
	tr.Timelines = append(tr.Timelines, second, traces.NewTimeline(tr.Streams[2], 0, 3))
	a, b := maker{channel: "ch1", flags: true}, maker{channel: "ch2", flags: true}
	r := attached(t, tr, Config{Channel: "ch1", Files: []Source{content("b", b.blocks(3)...), content("a", a.blocks(15)...)}})
	if len(r.payloads) != 15 || r.Timelines[0].Observed(event.Bytes) != 10 || r.Timelines[1].Observed(event.Bytes) != 10 || r.Timelines[2].Observed(event.Bytes) != 0 {
		t.Errorf("%d payloads, report %+v", len(r.payloads), r.report)
	}
	if skipped := slices.Collect(maps.Keys(r.payloads)); len(skipped) != 15 || !slices.ContainsFunc(r.report.Files, func(f FileReport) bool { return f.Skipped && f.Channel == "ch2" }) {
		t.Errorf("files %+v", r.report.Files)
	}
}

// TestMemory attaches 50,000 blocks, 100 MB, that exist nowhere but on their way.
func TestMemory(t *testing.T) {
	const blocks = 50_000
	tr := recorded(0, blocks, 2)
	source := Source{Path: "endless", Open: func() (io.ReadCloser, error) {
		return &endless{maker: maker{channel: "ch1", flags: true}, blocks: blocks, transactions: 2, filler: 1000}, nil
	}}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, next := heap(), uint64(0), int64(0)
	report, err := Write(t.Context(), io.Discard, tr, Config{Files: []Source{source}, Progress: func(bytes int64) {
		if bytes >= next {
			most, next = max(most, heap()), next+5<<20
		}
	}})
	if err != nil || report.Channels[0].Blocks != blocks || report.Channels[0].Bytes < 100e6 {
		t.Fatalf("report %+v, %v", report, err)
	}
	// The columns of the trace, its links and the Writer's buffers.
	if most-before > 40<<20 {
		t.Errorf("%d MB of blocks took %d MB of memory", report.Channels[0].Bytes>>20, (most-before)>>20)
	}
	t.Logf("%d MB of blocks took %d kB of memory", report.Channels[0].Bytes>>20, (most-before)>>10)
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := maker{channel: "ch1"}
	if _, err := Write(ctx, io.Discard, recorded(0, 10, 2), Config{Files: []Source{content("f", m.blocks(10)...)}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
