package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Config says what to attach.
type Config struct {
	// Files are the files of blocks, in any order.
	Files []Source
	// Channel is the channel to take blocks of; files of others are passed over. Empty
	// means that every file must be of a channel of the trace.
	Channel string
	// SizesOnly leaves the files' payloads out: the trace is given their sizes and
	// counts alone.
	SizesOnly bool
	// NoEarlier leaves out the files' blocks before the trace's first one. Otherwise
	// their payloads are kept, for whoever is to read the channel from its beginning.
	NoEarlier bool
	// Stored are the payloads that the trace's file has already; nil means none. They
	// stay, and the files' blocks must be of the same chain.
	Stored iter.Seq2[traces.Payload, error]
	// Progress, if not nil, is called with the number of bytes read from the files.
	Progress func(bytes int64)
}

func (c *Config) validate() error {
	if len(c.Files) == 0 {
		return errors.New("no file of blocks is named")
	}
	return nil
}

// A Report says what the files contained and what the trace was given.
type Report struct {
	Files []FileReport
	// Channels has one entry for every channel that files or stored payloads are of.
	Channels []ChannelReport
}

// facts are the kinds that blocks contain; they are written after the payloads.
var facts = []event.Kind{event.Transactions, event.Bytes, event.Writes, event.InvalidTransactions}

// Write writes the trace to w, together with what the files' blocks hold. It adds to
// the trace's columns and notes. After an error what w was given is worth nothing.
func Write(ctx context.Context, w io.Writer, t *traces.Trace, cfg Config) (Report, error) {
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	a := &attacher{cfg: cfg, trace: t, channels: map[string]*channel{}}
	for _, tl := range t.Timelines {
		c := a.channels[tl.Channel]
		if c == nil {
			c = &channel{ChannelReport: ChannelReport{Channel: tl.Channel}, base: t.Base}
			a.channels[tl.Channel] = c
			a.names = append(a.names, tl.Channel)
		}
		if err := c.cover(tl); err != nil {
			return Report{}, err
		}
	}
	if cfg.Channel != "" && a.channels[cfg.Channel] == nil {
		return Report{}, fmt.Errorf("the trace has no channel %s", cfg.Channel)
	}
	files, err := a.sniff()
	if err != nil {
		return Report{}, err
	}
	if a.out, err = traces.NewWriter(w, t.Header, traces.WriterConfig{}); err != nil {
		return Report{}, err
	}
	return a.write(ctx, files)
}

type attacher struct {
	cfg      Config
	trace    *traces.Trace
	channels map[string]*channel
	names    []string // of the channels, in the order of the streams
	out      *traces.Writer
	bytes    int64 // read from the files
}

func (a *attacher) write(ctx context.Context, files []file) (Report, error) {
	for s, tl := range a.part(false) {
		if err := a.out.AppendTimeline(s, tl); err != nil {
			return Report{}, err
		}
	}
	if err := a.stored(ctx); err != nil {
		return Report{}, err
	}
	var report Report
	for _, f := range files {
		if !f.Skipped && !f.empty {
			if err := a.file(ctx, &f); err != nil {
				return Report{}, err
			}
		}
		report.Files = append(report.Files, f.FileReport)
	}
	for _, name := range a.names {
		c := a.channels[name]
		if !c.touched {
			continue
		}
		if err := c.finish(); err != nil {
			return Report{}, err
		}
		a.note(c)
		report.Channels = append(report.Channels, c.ChannelReport)
	}
	if !slices.ContainsFunc(report.Files, func(f FileReport) bool { return f.Blocks > 0 }) {
		return Report{}, errors.New("the files contain no blocks of the trace's channels")
	}
	rest := *a.trace
	rest.Timelines = a.part(true)
	if err := a.out.AppendTrace(&rest); err != nil {
		return Report{}, err
	}
	return report, a.out.Close()
}

// part returns the timelines with the columns of facts alone, or all others.
func (a *attacher) part(ofFacts bool) (parts []*traces.Timeline) {
	for _, tl := range a.trace.Timelines {
		part := traces.NewTimeline(tl.Stream, tl.First, tl.Len())
		for k := range event.Kind(event.NumKinds) {
			if c := tl.Column(k); c != nil && slices.Contains(facts, k) == ofFacts {
				copy(part.MakeColumn(k), c)
			}
		}
		parts = append(parts, part)
	}
	return parts
}

// stored passes on the payloads that the trace has already.
func (a *attacher) stored(ctx context.Context) error {
	if a.cfg.Stored == nil {
		return nil
	}
	for p, err := range a.cfg.Stored {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("read the trace's payloads: %w", err)
		}
		c := a.channels[p.Channel]
		b, err := fabric.ParseBlock(p.Bytes)
		if err == nil && b.Number != uint64(p.Block) {
			err = fmt.Errorf("it is block %d", b.Number)
		}
		if err == nil {
			err = a.block(&b, c, false, true, true)
		}
		c.Stored = c.Blocks
		if err != nil {
			return &BlockError{"the trace's own payload", p.Channel, p.Block, err}
		}
	}
	return nil
}

// file reads a file to its end.
func (a *attacher) file(ctx context.Context, f *file) error {
	r, err := f.open(a.progress)
	if err != nil {
		return err
	}
	defer r.Close()
	c := a.channels[f.Channel]
	for ; ; f.Blocks++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			f.Partial = r.Partial()
			return nil
		}
		if err != nil {
			return f.wrap(err)
		}
		if name, err := b.ChannelID(); err == nil && name != f.Channel {
			return &BlockError{f.Path, name, event.BlockNum(b.Number), fmt.Errorf("the blocks before it are of channel %s", f.Channel)}
		}
		full := !a.cfg.SizesOnly
		if err := a.block(b, c, f.Blocks > 0, full, full && !a.cfg.NoEarlier); err != nil {
			return &BlockError{f.Path, f.Channel, event.BlockNum(b.Number), err}
		}
	}
}

// block takes a block; its payload is kept, and earlier ones than the trace's, if so said.
func (a *attacher) block(b *fabric.Block, c *channel, follows, keep, earlier bool) error {
	c.touched = true
	wanted, err := c.take(b, follows, earlier)
	if err != nil || !wanted || !keep {
		return err
	}
	return a.out.Payload(c.Channel, event.BlockNum(b.Number), b.Raw)
}

func (a *attacher) progress(n int) {
	a.bytes += int64(n)
	if a.cfg.Progress != nil {
		a.cfg.Progress(a.bytes)
	}
}

// Ends of the notes that attaching more blocks replaces.
const (
	unfound    = "are in no file of blocks"
	refused    = "found invalid"
	untimed    = "are held too; they have no times"
	uncompared = "could not be checked"
	compared   = "are those of the blocks"
)

// note adds notes on where the payloads come from.
func (a *attacher) note(c *channel) {
	stream := slices.IndexFunc(a.trace.Streams, func(s traces.Stream) bool { return s.Channel == c.Channel })
	add := func(kind, format string, args ...any) {
		a.trace.Notes = append(a.trace.Notes, traces.Note{Stream: stream, Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
	if n := c.Blocks - c.Stored; n > 0 {
		blocks := english.Plural(int(n), "block", "")
		add(traces.NoteFact, "sizes and counts of %s are from files of blocks", blocks)
		if !a.cfg.SizesOnly {
			add(traces.NotePayloads, "those of %s are from files of blocks", blocks)
		}
	}
	a.trace.Notes = slices.DeleteFunc(slices.Clone(a.trace.Notes), func(n traces.Note) bool {
		return n.Stream == stream && slices.ContainsFunc([]string{unfound, refused, untimed, compared, uncompared}, func(end string) bool { return strings.HasSuffix(n.Text, end) })
	})
	if c.Earlier > 0 {
		before := c.earlier.runs[0]
		add(traces.NotePayloads, "those of the blocks before the trace, %d to %d, "+untimed, before.first, before.end-1)
	}
	if c.Without > 0 {
		add(traces.NoteWarning, "%d of %d blocks "+unfound, c.Without, len(c.links))
	}
	if c.Validated > 0 {
		add(traces.NoteFact, "by the peer's validation flags on %d of %d blocks, %s "+refused, c.Validated, c.Blocks, english.Plural(int(c.Invalid), "transaction", ""))
	}
	if c.Hashed > 0 {
		add(traces.NoteFact, "the commit hashes that the peer has told of %s "+compared, english.Plural(int(c.Hashed), "block", ""))
	}
	if text := c.Unhashed(); text != "" {
		add(traces.NoteFact, "%s", text)
	}
	if text := c.Foreign(); text != "" {
		add(traces.NoteWarning, "%s", text)
	}
	if c.Unreadable > 0 {
		add(traces.NoteWarning, "transactions of %s cannot be read: their writes are not counted", english.Plural(int(c.Unreadable), "block", ""))
	}
}
