package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A committer is what a run needs of a ledger.
type committer interface {
	driver.Ledger
	Close() error
}

// A KeptError is an error that broke off a run whose ledger was to be kept.
type KeptError struct {
	// Dir has the ledger as far as it came.
	Dir string
	Err error
}

func (e *KeptError) Error() string { return fmt.Sprintf("%v (its ledger is kept in %s)", e.Err, e.Dir) }
func (e *KeptError) Unwrap() error { return e.Err }

// openLedger opens the ledger that spec names.
func openLedger(ctx context.Context, spec string, cfg ledger.Config) (committer, error) {
	return ledger.OpenContext(ctx, spec, cfg)
}

// opener returns the function that opens ledgers: a test has its own.
func (s *Scenario) opener() func(context.Context, string, ledger.Config) (committer, error) {
	if s.open != nil {
		return s.open
	}
	return openLedger
}

// withLedger opens a fresh ledger for the job, lets use have it with its blocks, closes
// it, measures what it has left on the disk, and removes it.
func (s *Scenario) withLedger(ctx context.Context, j *job, spec string, use func(*fed) error) (err error) {
	dir, err := os.MkdirTemp(s.LedgerDir, "blockreel-"+j.set.Name()+"-")
	if err != nil {
		return fmt.Errorf("directory for the ledger: %w", err)
	}
	b, _ := ledger.Find(spec)
	keep := s.Keep && !b.InMemory
	defer func() {
		switch {
		case !keep:
			err = errors.Join(err, os.RemoveAll(dir))
		case err != nil:
			err = &KeptError{Dir: dir, Err: err}
		}
	}()
	if keep {
		j.facts = append(j.facts, fmt.Sprintf("%s: its ledger is kept in %s", j.set.Label(), dir))
	}
	whole := s.hasPayloads(j.model)
	first := j.model.First - event.BlockNum(s.earlier(j.model))
	l, err := s.openFresh(ctx, j, spec, dir, first)
	if err != nil {
		return err
	}
	if first < j.model.First {
		if err := s.commitEarlier(ctx, j, spec, l); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	blocks := &fed{committer: l, job: j}
	if whole {
		var stop func()
		blocks.payload, stop = iter.Pull2(s.Payloads.Blocks(j.model.Stream.Channel, j.model.First, j.model.Len()))
		defer stop()
	} else {
		blocks.alarm = s.alarm()
		defer blocks.alarm.Close()
	}
	s.realFacts(j, spec, whole)
	reporter, reports := l.(interface{ Report() ledger.Report })
	var earlier ledger.Report
	if reports {
		earlier = reporter.Report()
	}
	err = use(blocks)
	if reports && err == nil {
		found := reporter.Report()
		j.tellReport(spec, found, blocks.log)
		j.refused = refusedShare(found.Transactions-earlier.Transactions, found.Valid()-earlier.Valid())
	}
	var served ledger.Server
	if err == nil {
		served, err = j.tellServer(ctx, spec, l)
	}
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	return s.measureSize(ctx, j, spec, dir, served)
}

// earlier is the number of blocks before the model's first that a real ledger is given: all
// from the genesis block on if the trace holds them, else none.
func (s *Scenario) earlier(m *Model) int {
	n := int(m.First)
	if n > 0 && s.hasPayloads(m) && s.Payloads.Count(m.Stream.Channel, 0, n) == n {
		return n
	}
	return 0
}

// commitEarlier commits the blocks before the model's first, so that the ledger holds what
// the model's blocks read. Nothing of it is timed.
func (s *Scenario) commitEarlier(ctx context.Context, j *job, spec string, l committer) error {
	n := int(j.model.First)
	f := &fed{committer: l, job: j}
	var stop func()
	f.payload, stop = iter.Pull2(s.Payloads.Blocks(j.model.Stream.Channel, 0, n))
	defer stop()
	for i := range n {
		b := block.Block{Number: event.BlockNum(i)}
		if err := errors.Join(f.fill(&b), ctx.Err()); err != nil {
			return err
		}
		j.earlier += int64(b.Bytes)
		if err := l.Validate(ctx, &b); err != nil {
			return err
		}
		if _, err := l.Commit(ctx, &b); err != nil {
			return err
		}
		if j.committed != nil {
			j.committed()
		}
	}
	counted := "no figure counts them"
	switch b, _ := ledger.Find(spec); {
	case j.out == nil: // the ledger is driven for its times alone
	case b.InMemory:
		counted = "of all figures only the bytes of payload count them"
	default:
		counted = "of all figures only the bytes on disk and of payload count them"
	}
	j.facts = append(j.facts, fmt.Sprintf("the %s before the first were committed before the run: %s", analysis.FormatBlocks(int64(n)), counted))
	return nil
}

// openFresh opens a new ledger in dir that begins with block first.
func (s *Scenario) openFresh(ctx context.Context, j *job, spec, dir string, first event.BlockNum) (committer, error) {
	// What a backend keeps elsewhere goes with the directory.
	if b, _ := ledger.Find(spec); !s.Keep && !strings.Contains(spec, "drop=") && b.HasOption(func(o ledger.Option) bool { return o.Name == "drop" }) {
		spec = ledger.With(spec, "drop=true")
	}
	l, err := s.opener()(ctx, spec, ledger.Config{
		Dir: dir, Channel: j.model.Stream.Channel, First: first, Validators: s.validators(),
	})
	if failed := (*ledger.OpenError)(nil); errors.As(err, &failed) {
		// Neither the directory nor all of the options are the caller's.
		err = fmt.Errorf("open the ledger: %w", failed.Err)
	}
	return l, err
}

// measureSize sets how much the closed ledger takes on the disk. It opens the ledger once more
// before, so that the engine moves what is in its logs into its tables. How much the device wrote
// is not measured: Linux counts whole large pages in write_bytes of a process, several times what
// the device writes, and io.stat of a cgroup counts all processes in it.
func (s *Scenario) measureSize(ctx context.Context, j *job, spec, dir string, served ledger.Server) error {
	b, _ := ledger.Find(spec)
	onServer := b.HasOption(func(o ledger.Option) bool { return o.Kind == ledger.URL })
	switch {
	case b.InMemory:
		j.noSize = spec + " stores nothing"
		return nil
	case onServer && served.Bytes == 0:
		j.noSize = "a part of " + b.Name + " is on a server that does not report its size"
		return nil
	case !onServer: // the part on a server may have gone with the ledger
		l, err := s.opener()(ctx, spec, ledger.Config{Dir: dir, Existing: true})
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			return fmt.Errorf("open the ledger again: %w", err)
		}
	}
	bytes, err := ledger.DiskBytes(dir)
	if err != nil {
		return fmt.Errorf("size of the ledger: %w", err)
	}
	j.size = analysis.Known(bytes + served.Bytes)
	return nil
}

// hasPayloads reports whether the trace holds every block of the model: a ledger of
// which one block is real and the next is made up would be neither.
func (s *Scenario) hasPayloads(m *Model) bool {
	return s.Payloads != nil && s.Payloads.Count(m.Stream.Channel, m.First, m.Len()) == m.Len()
}

// realFacts says what the ledger was given, and how its stages were told apart.
func (s *Scenario) realFacts(j *job, spec string, whole bool) {
	b, known := ledger.Find(spec)
	if known {
		j.facts = append(j.facts, fmt.Sprintf("stages of %s: %s", b.Name, b.Timing))
	}
	switch {
	case ledger.Durable(spec):
		j.facts = append(j.facts, fmt.Sprintf("durability of %s: %s", spec, b.Durability))
	case b.InMemory:
		j.facts = append(j.facts, fmt.Sprintf("%s stores nothing: what it takes is what is left without storage", spec))
	default:
		j.warnings = append(j.warnings, fmt.Sprintf("%s does not wait for the disk: its commits are faster than durable ones", spec))
	}
	if whole {
		j.facts = append(j.facts, "validation and commits of real ledgers were measured with the trace's own blocks, and "+analysis.FormatCounted(int64(s.validators()), "validator"))
		return
	}
	fact := "commits of real ledgers were measured with made-up blocks of the trace's shape"
	if !j.model.unvalidated {
		fact += "; validation takes the trace's own time"
	}
	j.facts = append(j.facts, fact)
	if s.Validators > 0 {
		j.warnings = append(j.warnings, fmt.Sprintf("%s changed nothing: blocks that are made up have no signatures to validate, and the time is the trace's (attach the peer's blocks)", analysis.FormatCounted(int64(s.Validators), "validator")))
	}
	j.warnings = slices.Concat(j.warnings, j.model.assumptions(), j.model.allValid(), j.model.noValidation())
	if s.Payloads == nil {
		return
	}
	if n := s.Payloads.Count(j.model.Stream.Channel, j.model.First, j.model.Len()); n > 0 {
		j.warnings = append(j.warnings, fmt.Sprintf("the trace holds %d of the %d blocks: all are made up (attach the others, or cut with --from and --to)", n, j.model.Len()))
	}
}

// tellServer names the server that has a part of the ledger, if one has.
func (j *job) tellServer(ctx context.Context, spec string, l committer) (ledger.Server, error) {
	served, ok := l.(interface {
		Server(context.Context) (ledger.Server, error)
	})
	if !ok {
		return ledger.Server{}, nil
	}
	is, err := served.Server(ctx)
	if err != nil || is.Name == "" {
		return is, err
	}
	j.facts = append(j.facts, fmt.Sprintf("the server of %s calls itself %s", spec, is.Name))
	if is.Other {
		j.warnings = append(j.warnings, fmt.Sprintf("the server of %s is not Apache CouchDB but %s: the figures are that server's, not those of a peer's CouchDB", spec, is.Name))
	}
	return is, nil
}

// fed is a ledger that gets the trace's blocks, or blocks made up in their shape. The
// validation of these takes the trace's time: they have no signatures to verify.
type fed struct {
	committer
	job     *job
	payload func() (traces.Payload, error, bool) // the trace's next; nil: blocks are made up
	alarm   *driver.Alarm                        // for the validation of these
	log     logHashes
}

// Prepare completes block b of the driver from its number on.
func (f *fed) Prepare(_ context.Context, b *block.Block) error {
	i := int(b.Number - f.job.model.First)
	if f.payload == nil {
		*b = f.job.model.forLedger(i)
		return nil
	}
	*b = f.job.model.block(i)
	return f.fill(b)
}

// fill gives the block its payload, which is the trace's next.
func (f *fed) fill(b *block.Block) error {
	p, err, ok := f.payload()
	switch {
	case !ok:
		return fmt.Errorf("payload of block %d: the trace has no more", b.Number)
	case err != nil:
		return fmt.Errorf("payload of block %d: %w", b.Number, err)
	case p.Block != b.Number:
		return fmt.Errorf("payload of block %d: the trace has that of block %d next", b.Number, p.Block)
	}
	b.Payload = bytes.Clone(p.Bytes)
	b.Bytes = len(b.Payload)
	return nil
}

func (f *fed) Validate(ctx context.Context, b *block.Block) error {
	start := time.Now()
	if err := f.committer.Validate(ctx, b); err != nil || f.payload != nil {
		return err
	}
	end := start.Add(f.job.times[b.Number-f.job.model.First].Validate)
	for left := time.Until(end); left > 0; left = time.Until(end) {
		f.alarm.Set(left)
		select {
		case <-f.alarm.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (f *fed) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	stages, err := f.committer.Commit(ctx, b)
	if err == nil {
		f.log.compare(f, b.Number)
	}
	b.Payload = nil
	if f.job.out != nil { // what the ledger was given, whatever the trace tells
		f.job.out.MakeColumn(event.Bytes)[b.Number-f.job.model.First] = int64(b.Bytes)
	}
	return stages, err
}

// drive commits all blocks as fast as the ledger goes, and tells of each what it was as it
// was committed, and what it took. The validation of blocks that are made up is the trace's.
func (f *fed) drive(ctx context.Context, each func(i int, b *block.Block, took ledger.Times)) error {
	j := f.job
	for i := range j.times {
		b := block.Block{Number: j.model.First + event.BlockNum(i)}
		if err := f.Prepare(ctx, &b); err != nil {
			return err
		}
		start := time.Now()
		if err := f.committer.Validate(ctx, &b); err != nil {
			return err
		}
		validated := time.Now()
		stages, err := f.committer.Commit(ctx, &b)
		if err != nil {
			return err
		}
		took := ledger.Times{Validate: validated.Sub(start), Commit: time.Since(validated), Stages: stages}
		f.log.compare(f, b.Number)
		if f.payload == nil {
			took.Validate = j.times[i].Validate
		}
		each(i, &b, took)
		if j.committed != nil {
			j.committed()
		}
	}
	return nil
}

// measuredServices keeps, by ledger and stream, the times of a ledger that was driven.
type measuredServices map[measuredKey]drivenLedger

type measuredKey struct {
	spec   string
	stream int
}

// drivenLedger is what driving a ledger has told.
type drivenLedger struct {
	times           []ledger.Times
	facts, warnings []string
}

// take gives the job the times of a real ledger, driving it if nobody has yet. There is no
// turnaround, as there is none when the ledger runs by the wall clock.
func (c measuredServices) take(ctx context.Context, s *Scenario, j *job, spec string) error {
	key := measuredKey{spec, j.index}
	if _, done := c[key]; !done {
		probe := &job{model: j.model, set: j.set, times: j.times, committed: j.committed}
		times := make([]ledger.Times, len(j.times))
		err := s.withLedger(ctx, probe, spec, func(l *fed) error {
			return l.drive(ctx, func(i int, _ *block.Block, took ledger.Times) { times[i] = took })
		})
		if err != nil {
			return err
		}
		const once = "each ledger was driven once: how much two runs of one differ on this machine is not known (--clock wall --repeat tells)"
		c[key] = drivenLedger{times, probe.facts, append(probe.warnings, once)}
	}
	driven, m := c[key], *j.model
	m.Turnaround, m.told = nil, nil
	j.model, j.times = &m, driven.times
	j.facts, j.warnings = append(j.facts, driven.facts...), append(j.warnings, driven.warnings...)
	return nil
}
