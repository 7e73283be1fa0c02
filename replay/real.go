package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces/event"
)

// What stands in for facts that a trace does not hold when blocks are made up for a
// real ledger: the shapes of the 2.5 runs with small transactions.
const (
	assumedBlockOverhead       = 900
	assumedBytesPerTransaction = 3200
	assumedWritesPerTx         = 1
)

// block returns block i for a ledger.
func (m *Model) block(i int) block.Block {
	tl := m.Measured
	b := block.Block{Number: m.First + event.BlockNum(i), Transactions: 1}
	if v := tl.Value(event.Transactions, i); v >= 0 {
		b.Transactions = int(min(v, ledger.MaxBlockTransactions))
	}
	b.Bytes = int(m.bytes(i))
	if v := tl.Value(event.Writes, i); v >= 0 {
		b.Writes = int(min(v, ledger.MaxBlockWrites))
	} else {
		b.Writes = assumedWritesPerTx * b.Transactions
	}
	return b
}

// forLedger returns block i with a size, since a ledger stores what has one.
func (m *Model) forLedger(i int) block.Block {
	b := m.block(i)
	if b.Bytes == 0 {
		b.Bytes = min(assumedBlockOverhead+assumedBytesPerTransaction*b.Transactions, ledger.MaxBlockBytes)
	}
	return b
}

// realWarnings says what was made up for a real ledger.
func (j *job) realWarnings(spec string) {
	m := j.model
	if spec == ledger.BadgerNoSync {
		j.warnings = append(j.warnings, "the ledger did not wait for the disk: its commits are faster than durable ones")
	}
	j.facts = append(j.facts, fmt.Sprintf("commits were measured on %s with made-up blocks of the trace's shape; validation takes the trace's own time", spec))
	if !m.sized {
		j.warnings = append(j.warnings, fmt.Sprintf("the trace does not tell the sizes of its blocks: %d bytes a transaction are assumed (--block-bytes)", assumedBytesPerTransaction))
	}
	if m.Measured.Observed(event.Transactions) == 0 {
		j.warnings = append(j.warnings, "the trace does not tell the transactions of its blocks: one a block is assumed")
	}
	if m.Measured.Observed(event.Writes) == 0 {
		j.warnings = append(j.warnings, "the trace does not tell the writes of its blocks: one a transaction is assumed")
	}
}

// withLedger opens a fresh ledger for the job, lets use have it, and removes it.
func (s *Scenario) withLedger(j *job, spec string, use func(*ledger.Ledger) error) (err error) {
	dir, err := os.MkdirTemp(s.LedgerDir, "blockreel-ledger-")
	if err != nil {
		return fmt.Errorf("directory for the ledger: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := ledger.Open(spec, ledger.Config{Dir: dir, Channel: j.model.Stream.Channel, First: j.model.First})
	if err != nil {
		return err
	}
	return errors.Join(use(l), l.Close())
}

// measuredServices keeps, by ledger and stream, the times of a ledger that was driven.
type measuredServices map[measuredKey][]ledger.Times

type measuredKey struct {
	spec   string
	stream int
}

// take gives the job the commit times of a real ledger, driving it if nobody has yet.
func (c measuredServices) take(ctx context.Context, s *Scenario, j *job, spec string) error {
	j.realWarnings(spec)
	key := measuredKey{spec, j.index}
	if _, done := c[key]; !done {
		times := make([]ledger.Times, len(j.times))
		err := s.withLedger(j, spec, func(l *ledger.Ledger) error {
			return drive(ctx, l, j, times)
		})
		if err != nil {
			return err
		}
		c[key] = times
	}
	j.times = c[key]
	return nil
}

// drive commits the job's blocks as fast as the ledger goes.
func drive(ctx context.Context, l *ledger.Ledger, j *job, times []ledger.Times) error {
	for i := range times {
		b := j.model.forLedger(i)
		if err := l.Validate(ctx, &b); err != nil {
			return err
		}
		start := time.Now()
		stages, err := l.Commit(ctx, &b)
		if err != nil {
			return err
		}
		times[i] = ledger.Times{Validate: j.times[i].Validate, Commit: time.Since(start), Stages: stages}
	}
	return nil
}

// paced is a real ledger whose validation takes the trace's time: the made-up blocks
// have no signatures to verify.
type paced struct {
	*ledger.Ledger
	job *job
}

func (p *paced) Validate(ctx context.Context, b *block.Block) error {
	start := time.Now()
	i := int(b.Number - p.job.model.First)
	if b.Bytes == 0 {
		b.Bytes = p.job.model.forLedger(i).Bytes
	}
	if err := p.Ledger.Validate(ctx, b); err != nil {
		return err
	}
	wait := p.job.times[i].Validate - time.Since(start)
	if wait <= 0 {
		return nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wall runs the jobs side by side in real time.
func (s *Scenario) wall(ctx context.Context, jobs []*job, set Setting) error {
	streams := make([]driver.Stream, len(jobs))
	origin := event.Time(jobs[0].model.Blocks.Offered[0])
	for i, j := range jobs {
		streams[i] = j.stream()
		origin = min(origin, event.Time(j.model.Blocks.Offered[0]))
	}
	run := func() error {
		w := driver.Wall{Speed: s.Speed, Origin: origin}
		results, err := w.Run(ctx, streams...)
		if err != nil {
			return err
		}
		for i, r := range results {
			name := fmt.Sprintf("N = %d on %s: ", jobs[i].cfg.Policy.N, set.Ledger)
			jobs[i].tellDrops(r)
			jobs[i].facts = append(jobs[i].facts, name+lagText(r.Lag))
			if r.Lag.Overloaded {
				jobs[i].warnings = append(jobs[i].warnings, name+"this machine was too slow for the replay: "+lagText(r.Lag)+"; its figures are not valid")
			}
		}
		return nil
	}
	if set.Ledger == RecordedLedger {
		for _, j := range jobs {
			j.keepStages()
		}
		return run()
	}
	// Open one ledger inside the other, so that each is closed and removed.
	for i, j := range jobs {
		inner := run
		run = func() error {
			return s.withLedger(j, set.Ledger, func(l *ledger.Ledger) error {
				j.realWarnings(set.Ledger)
				streams[i].Ledger = &paced{l, j}
				return inner()
			})
		}
	}
	return run()
}

// lagText tells how late a wall run was.
func lagText(l driver.Lag) string {
	return fmt.Sprintf("the replayer was late by %v at p50, %v at p99, %v at most", round(l.P50), round(l.P99), round(l.Max))
}
