package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// known is a ledger of known cost: it waits, and keeps what it was given.
type known struct {
	validate, perTransaction, state time.Duration
	seen                            *[]string
	dir, server                     string
	closed                          bool
	check                           func(*block.Block) error
}

func (k *known) Validate(ctx context.Context, b *block.Block) error {
	if k.check != nil {
		if err := k.check(b); err != nil {
			return err
		}
	}
	if b.Payload == nil {
		return nil
	}
	return pause(ctx, k.validate+time.Duration(b.Transactions)*k.perTransaction)
}

func (k *known) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	if k.seen != nil {
		*k.seen = append(*k.seen, fmt.Sprintf("%d", b.Number))
	}
	return block.Stages{StateCommit: k.state}, pause(ctx, k.state)
}

func (k *known) Server(context.Context) (ledger.Server, error) {
	return ledger.Server{Name: k.server, Other: k.server != ""}, nil
}

func (k *known) Close() error {
	k.closed = true
	return os.WriteFile(filepath.Join(k.dir, "data"), make([]byte, 10_000), 0o644)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// opens makes a scenario's ledgers of cost k, each in its own directory, and notes which
// were opened.
func (k known) opens(specs *[]string) func(context.Context, string, ledger.Config) (committer, error) {
	return func(_ context.Context, spec string, cfg ledger.Config) (committer, error) {
		if specs != nil && !cfg.Existing {
			*specs = append(*specs, spec)
		}
		one := k
		one.dir = cfg.Dir
		return &one, nil
	}
}

const firstBlock = 5

// sized is a trace of n blocks, one every gap, of a transaction to ten, with payloads.
func sized(t testing.TB, n int, gap time.Duration, payloadBytes int) (*traces.Trace, *traces.PayloadFile) {
	t.Helper()
	return sizedFrom(t, firstBlock, n, gap, payloadBytes)
}

func sizedFrom(t testing.TB, first event.BlockNum, n int, gap time.Duration, payloadBytes int) (*traces.Trace, *traces.PayloadFile) {
	t.Helper()
	header := traces.Header{Streams: []traces.Stream{{
		Channel: "ch", Settings: traces.Settings{traces.SettingBuffer: "20", traces.SettingPreset: pipeline.Fabric2x},
	}}}
	tl := traces.NewTimeline(header.Streams[0], first, n)
	set := func(k event.Kind, i int, v int64) { tl.MakeColumn(k)[i] = v }
	var file bytes.Buffer
	w, err := traces.NewWriter(&file, header, traces.WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	payload := bytes.Repeat([]byte("a block's bytes, "), payloadBytes/16+1)[:payloadBytes]
	for i := range n {
		at := int64(i) * int64(gap)
		set(event.Offered, i, at)
		set(event.Dequeued, i, at+int64(time.Millisecond))
		set(event.Validated, i, at+int64(2*time.Millisecond))
		set(event.Committed, i, at+int64(4*time.Millisecond))
		set(event.Transactions, i, int64(1+i%10))
		set(event.Writes, i, int64(2+i*7%13))
		set(event.Bytes, i, int64(payloadBytes))
		payload[0] = byte(i)
		if err := w.Payload("ch", first+event.BlockNum(i), payload); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.AppendTimeline(0, tl); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := traces.OpenPayloads(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return &traces.Trace{Header: header, Timelines: []*traces.Timeline{tl}}, p
}

func replayAll(t testing.TB, tr *traces.Trace, s Scenario) ([]Result, *Outcome) {
	t.Helper()
	s.Scale, s.LedgerDir, s.plainTimers = ledger.Unscaled(), t.TempDir(), true
	var all []Result
	out, err := Replay(t.Context(), tr, s, func(r Result) error {
		all = append(all, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(s.LedgerDir); len(left) > 0 && !s.Keep {
		t.Errorf("%s was left behind", left[0].Name())
	}
	return all, out
}

// Without pace the run takes what the ledger takes, block after block, and the figures
// are those of the ledger.
func TestUnpacedMeasuresTheLedger(t *testing.T) {
	const blocks = 200
	tr, payloads := sized(t, blocks, 20*time.Millisecond, 1000)
	synctest.Test(t, func(t *testing.T) {
		k := known{validate: 3 * time.Millisecond, perTransaction: 100 * time.Microsecond, state: 2 * time.Millisecond}
		results, out := replayAll(t, tr, Scenario{
			Ledgers: []string{"badger"}, Clock: Wall, Unpaced: true, Payloads: payloads, open: k.opens(nil),
		})
		r := results[0]
		if r.Name() != "unbounded-badger" || len(r.Measured) != 1 {
			t.Fatalf("result %s with %d measurements", r.Name(), len(r.Measured))
		}
		m := r.Measured[0]
		// 20 blocks of 1 to 10 transactions are the warm-up; 5 ms and 5.5 transactions a block.
		want := 1e9 / (5e6 + 5.5*100e3)
		if got := m.BlockRate.Or(0); got < want*0.9999 || got > want*1.0001 || m.Warmup != 20 || m.Blocks != 180 {
			t.Errorf("%v blocks/s of %d behind %d, want %v", got, m.Blocks, m.Warmup, want)
		}
		if len(m.Stages) != 2 || m.Stages[1].Name != "state_commit" || m.Stages[1].Duration.Mean != 2e6 {
			t.Errorf("stages %+v", m.Stages)
		}
		if m.Size.Or(0) < 10_000 || m.Payload.Or(0) != blocks*1000 {
			t.Errorf("%v on disk, %v bytes of payload", m.Size, m.Payload)
		}
		tl := r.Trace.Timelines[0]
		if tl.Settings[settingUnpaced] != "true" || tl.Value(event.Offered, blocks-1) != tl.Value(event.Offered, 0) {
			t.Errorf("the last block is offered at %d, settings %v", tl.Value(event.Offered, blocks-1), tl.Settings)
		}
		if said := strings.Join(out.Facts, "\n"); !strings.Contains(said, "with the trace's own blocks") {
			t.Errorf("facts: %s", said)
		}
	})
}

// A buffer that is asked for holds without pace, too: then it is a catch-up.
func TestUnpacedThroughABuffer(t *testing.T) {
	tr, payloads := sized(t, 100, 20*time.Millisecond, 1000)
	synctest.Test(t, func(t *testing.T) {
		k := known{state: time.Millisecond}
		results, _ := replayAll(t, tr, Scenario{
			Buffers: []int{2}, Ledgers: []string{"badger"}, Clock: Wall, Unpaced: true, Payloads: payloads, open: k.opens(nil),
		})
		// Six blocks between two looks at the door, a tenth of a second apart: five that wait
		// in the buffer, and the one that had been popped.
		if rate := results[0].Measured[0].BlockRate.Or(0); rate < 55 || rate > 60 {
			t.Errorf("%v blocks/s through N = 2", rate)
		}
	})
}

// Blocks arrive so many times as fast at a real ledger, which takes its time.
func TestSpeedIsLoad(t *testing.T) {
	tr, payloads := sized(t, 101, 20*time.Millisecond, 1000)
	synctest.Test(t, func(t *testing.T) {
		k := known{state: 3 * time.Millisecond}
		results, _ := replayAll(t, tr, Scenario{
			Ledgers: []string{"badger"}, Clock: Wall, Speed: 4, Payloads: payloads, open: k.opens(nil),
		})
		tl := results[0].Trace.Timelines[0]
		if last := tl.Value(event.Offered, 100) - tl.Value(event.Offered, 0); last != int64(500*time.Millisecond) {
			t.Errorf("the last block is offered after %v", time.Duration(last))
		}
		if took := tl.Value(event.Committed, 50) - tl.Value(event.Validated, 50); took != int64(3*time.Millisecond) {
			t.Errorf("a commit takes %v", time.Duration(took))
		}
		if tl.Settings[settingLoad] != "4" {
			t.Errorf("settings %v", tl.Settings)
		}
	})
}

// All settings run in turn, then all again.
func TestRepetitionsTakeTurns(t *testing.T) {
	tr, payloads := sized(t, 30, 5*time.Millisecond, 100)
	synctest.Test(t, func(t *testing.T) {
		var specs []string
		k := known{state: time.Millisecond}
		results, _ := replayAll(t, tr, Scenario{
			Ledgers: []string{"badger", "memory"}, Clock: Wall, Repeat: 3, Warmup: -1, Payloads: payloads, open: k.opens(&specs),
		})
		if want := []string{"badger", "memory", "badger", "memory", "badger", "memory"}; !reflect.DeepEqual(specs, want) {
			t.Errorf("ledgers ran as %v", specs)
		}
		var names []string
		for _, r := range results {
			names = append(names, r.Name())
			if r.Measured[0].Run != r.Run || r.Measured[0].Warmup != 0 || r.Measured[0].Blocks != 30 {
				t.Errorf("%s: measured %+v", r.Name(), r.Measured[0])
			}
		}
		if got := strings.Join(names, " "); got != "n20-badger-run1 n20-memory-run1 n20-badger-run2 n20-memory-run2 n20-badger-run3 n20-memory-run3" {
			t.Errorf("results %s", got)
		}
	})
}

// The ledger gets every block in order with its own payload.
func TestLedgerGetsThePayloads(t *testing.T) {
	const blocks = 300
	tr, payloads := sized(t, blocks, time.Millisecond, 50_000)
	for _, clock := range []string{Virtual, Wall} {
		synctest.Test(t, func(t *testing.T) {
			next := 0
			k := known{check: func(b *block.Block) error {
				if int(b.Number) != firstBlock+next || len(b.Payload) != 50_000 || b.Bytes != 50_000 || b.Payload[0] != byte(next) {
					return fmt.Errorf("block %d has %d bytes of payload", b.Number, len(b.Payload))
				}
				next++
				return nil
			}}
			replayAll(t, tr, Scenario{Ledgers: []string{"badger"}, Clock: clock, Payloads: payloads, open: k.opens(nil)})
			if next != blocks {
				t.Errorf("%s: %d of %d blocks", clock, next, blocks)
			}
		})
	}
}

// Progress counts what takes time: the blocks before the first, and by the virtual clock
// those that a ledger is driven with.
func TestProgressOfRealLedgers(t *testing.T) {
	const earlier, blocks = 700, 100
	_, payloads := sizedFrom(t, 0, earlier+blocks, time.Millisecond, 100)
	tr, _ := sizedFrom(t, earlier, blocks, time.Millisecond, 100)
	for clock, want := range map[string]int{Virtual: earlier + blocks + 2*blocks, Wall: 2 * (earlier + blocks)} {
		synctest.Test(t, func(t *testing.T) {
			var first, last, of int
			k := known{state: time.Millisecond}
			_, out := replayAll(t, tr, Scenario{
				Ledgers: []string{"badger"}, Buffers: []int{2, 20}, Clock: clock, Payloads: payloads, open: k.opens(nil),
				Progress: func(done, all int) {
					if first == 0 {
						first = done
					}
					last, of = done, all
				},
			})
			if first != progressEvery || last != want || of != want {
				t.Errorf("%s: progress from %d to %d of %d, want %d", clock, first, last, of, want)
			}
			durable := 0
			for _, f := range out.Facts {
				if strings.HasPrefix(f, "durability of badger: a block is on the disk") {
					durable++
				}
			}
			if durable != 1 {
				t.Errorf("%s: the durability of the ledger is told %d times: %q", clock, durable, out.Facts)
			}
		})
	}
}

// A trace that lacks a block has all of them made up, and says so; validation then takes
// the trace's time.
func TestMadeUpBlocks(t *testing.T) {
	tr, _ := sized(t, 50, 10*time.Millisecond, 100)
	_, few := sized(t, 49, 10*time.Millisecond, 100)
	for _, payloads := range []*traces.PayloadFile{nil, few} {
		synctest.Test(t, func(t *testing.T) {
			k := known{validate: time.Hour, state: time.Millisecond, check: func(b *block.Block) error {
				if b.Payload != nil {
					return errors.New("a payload")
				}
				return nil
			}}
			results, out := replayAll(t, tr, Scenario{Ledgers: []string{"badger"}, Clock: Wall, Payloads: payloads, open: k.opens(nil)})
			tl := results[0].Trace.Timelines[0]
			if took := tl.Value(event.Validated, 7) - tl.Value(event.Dequeued, 7); took != int64(time.Millisecond) {
				t.Errorf("validation took %v, not the trace's 1ms", time.Duration(took))
			}
			if !strings.Contains(strings.Join(out.Facts, "\n"), "made-up blocks") {
				t.Errorf("facts %v", out.Facts)
			}
			if said := strings.Contains(strings.Join(out.Warnings, "\n"), "49 of the 50 blocks"); said != (payloads != nil) {
				t.Errorf("warnings %v", out.Warnings)
			}
		})
	}
}

// What a ledger keeps on a server goes with its directory, and is not counted as this
// process's writing.
func TestServersAreLeftClean(t *testing.T) {
	tr, payloads := sized(t, 20, time.Millisecond, 100)
	synctest.Test(t, func(t *testing.T) {
		var specs []string
		results, out := replayAll(t, tr, Scenario{
			Ledgers: []string{"couchdb", "couchdb:batch=10", "couchdb:drop=false"}, Clock: Wall, Unpaced: true,
			Payloads: payloads, open: known{server: "express-pouchdb 4"}.opens(&specs),
		})
		if want := []string{"couchdb:drop=true", "couchdb:batch=10,drop=true", "couchdb:drop=false"}; !reflect.DeepEqual(specs, want) {
			t.Errorf("opened %v, want %v", specs, want)
		}
		if facts, warnings := strings.Join(out.Facts, "\n"), strings.Join(out.Warnings, "\n"); !strings.Contains(facts, "the server of couchdb calls itself express-pouchdb 4") || !strings.Contains(warnings, "couchdb is not Apache CouchDB but express-pouchdb 4") {
			t.Errorf("facts %s, warnings %s", facts, warnings)
		}
		if m := results[0].Measured[0]; m.Size.Known() || !strings.Contains(m.NotMeasured, "does not report its size") {
			t.Errorf("%v bytes on a server's disk", m.Size)
		}
	})
}

// Ledgers are kept where that is asked for, and it is said where.
func TestKeep(t *testing.T) {
	tr, payloads := sized(t, 20, time.Millisecond, 100)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		k := known{}
		s := Scenario{Ledgers: []string{"badger", "memory"}, Clock: Wall, Unpaced: true, Keep: true, LedgerDir: dir, Scale: ledger.Unscaled(), Payloads: payloads, plainTimers: true, open: k.opens(nil)}
		out, err := Replay(t.Context(), tr, s, func(Result) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		left, err := filepath.Glob(filepath.Join(dir, "blockreel-unbounded-*", "data"))
		if err != nil || len(left) != 1 || !strings.Contains(left[0], "badger") { // in memory there is nothing to keep
			t.Fatalf("kept %v: %v", left, err)
		}
		if !strings.Contains(strings.Join(out.Facts, "\n"), filepath.Dir(left[0])) {
			t.Errorf("facts %v do not name %s", out.Facts, left[0])
		}
	})
}

var errBroken = errors.New("no space left")

// A ledger that fails ends the replay, with its setting's name, and leaves no directory.
func TestLedgerFails(t *testing.T) {
	tr, payloads := sized(t, 2000, time.Millisecond, 100)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		k := known{check: func(b *block.Block) error {
			if b.Number == firstBlock+3 {
				return errBroken
			}
			return nil
		}}
		s := Scenario{Ledgers: []string{"badger"}, Clock: Wall, LedgerDir: dir, Scale: ledger.Unscaled(), Payloads: payloads, plainTimers: true, open: k.opens(nil)}
		_, err := Replay(t.Context(), tr, s, func(Result) error { return nil })
		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "badger") {
			t.Errorf("error %v", err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s was left behind", left[0].Name())
		}
	})
}

// A model that was fitted to a ledger of known cost forecasts what a run into that ledger
// by the wall clock does, and a sweep of it has the same figures.
func TestCalibrateSweepAndCheck(t *testing.T) {
	tr, payloads := sized(t, 600, 4*time.Millisecond, 1000)
	synctest.Test(t, func(t *testing.T) {
		k := known{validate: time.Millisecond, perTransaction: 300 * time.Microsecond, state: 2 * time.Millisecond}
		s := Scenario{Ledgers: []string{"badger"}, Scale: ledger.Unscaled(), Payloads: payloads, LedgerDir: t.TempDir(), plainTimers: true, open: k.opens(nil)}
		c, err := Calibrate(t.Context(), tr, s)
		if err != nil {
			t.Fatal(err)
		}
		got := c.Coefficients(0)
		if got.Fixed < 0.999e6 || got.Fixed > 1.001e6 || got.PerTransaction < 299.9e3 || got.PerTransaction > 300.1e3 {
			t.Errorf("validation costs %+v", got)
		}
		if got := c.Coefficients(3); got.Fixed < 1.999e6 || got.Fixed > 2.001e6 {
			t.Errorf("state commit costs %+v", got)
		}
		if c.Warmup != 60 || c.Blocks != 540 || c.MadeUp || c.Ledger != "badger" {
			t.Errorf("model %+v", c.Model)
		}
		s.Ledgers, s.Warmup = nil, -1 // a sweep has no warm-up
		checks, err := CheckWall(t.Context(), tr, s, c.Model, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(checks) != 1 || checks[0].Name != "N = 2 on badger" || len(checks[0].Differences) == 0 {
			t.Fatalf("checks %+v", checks)
		}
		if doubt := checks[0].Distrust(); doubt != "" {
			t.Errorf("a good model: %s", doubt)
		}
		for _, d := range checks[0].Differences {
			if e := d.Error.Or(1); e < -0.005 || e > 0.005 {
				t.Errorf("%s: forecast %d, measured %d", d.Figure, d.Got, d.Want)
			}
		}
		s.Costs, s.Buffers = []*cost.Model{c.Model}, []int{2, 20}
		sweeps, err := SweepCosts(t.Context(), tr, s)
		if err != nil {
			t.Fatal(err)
		}
		if p := sweeps[0].Points[0]; sweeps[0].Ledger != "badger" || p.Makespan != checks[0].Differences[0].Got {
			t.Errorf("the sweep of %s has a makespan of %d, the replay of %d", sweeps[0].Ledger, p.Makespan, checks[0].Differences[0].Got)
		}
	})
}

// A ledger whose first blocks take longer than all others is forecast as well as another: the
// check leaves out the warm-up, as the cost model does.
func TestCheckIsBehindTheWarmup(t *testing.T) {
	tr, payloads := sized(t, 300, 20*time.Millisecond, 1000)
	synctest.Test(t, func(t *testing.T) {
		k := known{validate: 2 * time.Millisecond, state: 2 * time.Millisecond, check: func(b *block.Block) error {
			if b.Number < firstBlock+20 {
				<-time.After(10 * time.Millisecond)
			}
			return nil
		}}
		s := Scenario{Ledgers: []string{"badger"}, Scale: ledger.Unscaled(), Payloads: payloads, LedgerDir: t.TempDir(), Warmup: 25, plainTimers: true, open: k.opens(nil)}
		c, err := Calibrate(t.Context(), tr, s)
		if err != nil {
			t.Fatal(err)
		}
		s.Ledgers = nil
		checks, err := CheckWall(t.Context(), tr, s, c.Model, 20)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range checks[0].Differences {
			if e := d.Error.Or(1); e < -0.005 || e > 0.005 {
				t.Errorf("%s: forecast %d, measured %d", d.Figure, d.Got, d.Want)
			}
		}
	})
}

// A cost model stands for its ledger in a replay, and its errors are told.
func TestReplayOfACostModel(t *testing.T) {
	tr, payloads := sized(t, 300, 10*time.Millisecond, 1000)
	synctest.Test(t, func(t *testing.T) {
		k := known{validate: time.Millisecond, state: 5 * time.Millisecond}
		s := Scenario{Ledgers: []string{"badger"}, Scale: ledger.Unscaled(), Payloads: payloads, LedgerDir: t.TempDir(), plainTimers: true, open: k.opens(nil)}
		c, err := Calibrate(t.Context(), tr, s)
		if err != nil {
			t.Fatal(err)
		}
		results, out := replayAll(t, tr, Scenario{Costs: []*cost.Model{c.Model}, Buffers: []int{20}})
		if len(results) != 1 || results[0].Name() != "n20-badger-forecast" || results[0].Label() != "N = 20 on badger (forecast)" {
			t.Fatalf("%d results, the first is %s", len(results), results[0].Name())
		}
		tl := results[0].Trace.Timelines[0]
		if took := tl.Value(event.Committed, 9) - tl.Value(event.Dequeued, 9); took != int64(6*time.Millisecond) {
			t.Errorf("a block takes %v", time.Duration(took))
		}
		if v := tl.Value(event.StateCommit, 9); v != int64(5*time.Millisecond) {
			t.Errorf("its state commit takes %v", time.Duration(v))
		}
		if said := strings.Join(out.Facts, "\n"); !strings.Contains(said, "held-out error") {
			t.Errorf("facts %s", said)
		}
	})
}

// A calibration that is repeated drives a fresh ledger each time, fits all runs without
// their warm-ups, and says by how much they differ.
func TestCalibrateRepeats(t *testing.T) {
	tr, payloads := sized(t, 300, time.Millisecond, 1000)
	synctest.Test(t, func(t *testing.T) {
		dirs := map[string]bool{}
		s := Scenario{Ledgers: []string{"badger"}, Scale: ledger.Unscaled(), Repeat: 3, Payloads: payloads, LedgerDir: t.TempDir()}
		s.open = func(_ context.Context, _ string, cfg ledger.Config) (committer, error) {
			dirs[cfg.Dir] = true
			k := &known{validate: time.Millisecond, state: time.Duration(3+len(dirs)) * time.Millisecond, dir: cfg.Dir}
			k.check = func(b *block.Block) error {
				if b.Number < firstBlock+30 { // the warm-up
					return pause(t.Context(), time.Second)
				}
				return nil
			}
			return k, nil
		}
		done := 0
		s.Progress = func(n, all int) { done = max(done, n*1000/all) }
		c, err := Calibrate(t.Context(), tr, s)
		if err != nil {
			t.Fatal(err)
		}
		if len(dirs) != 3 || c.Runs != 3 || c.Blocks != 3*270 || c.Measured != c.Blocks || done != 1000 {
			t.Errorf("%d runs in %d directories, %d of %d blocks, progress %d ‰", c.Runs, len(dirs), c.Blocks, c.Measured, done)
		}
		if mean := c.MeanBlock(); mean != 6*time.Millisecond {
			t.Errorf("a block takes %v", mean)
		}
		if c.RunSpread != round4(2./6) {
			t.Errorf("the runs differ by %v", c.RunSpread)
		}
		if said := strings.Join(c.Facts, "\n"); !strings.Contains(said, "3 runs, each into a fresh ledger; the slowest run's mean block took longer than the fastest's by 33.3 %") || !strings.Contains(said, "warm-up of each run") {
			t.Errorf("facts %s", said)
		}
		if said := strings.Join(c.Warnings, "\n"); !strings.Contains(said, "the mean blocks of the 3 runs of the calibration differ by 33.3 %") {
			t.Errorf("warnings %s", said)
		}
		if fact := CostFact(c.Model); !strings.Contains(fact, "of 810 blocks in 3 runs, whose mean blocks spread by 33.3 %") {
			t.Error(fact)
		}
	})
}

func round4(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// What weakens a cost model is told, each in its words.
func TestCostWarnings(t *testing.T) {
	for _, tc := range []struct {
		weaken func(*cost.Model)
		want   string
	}{
		{func(*cost.Model) {}, ""},
		{func(m *cost.Model) { m.HeldOut.WorstFold = -0.2 }, "missed the time of held-out blocks by up to −20.0 %"},
		{func(m *cost.Model) { m.HeldOut.Forward = -0.2 }, "missed the time of the last by −20.0 %"},
		{func(m *cost.Model) { m.HeldOut.TailError = 0.5 }, "missed the p99 of held-out blocks by up to +50.0 %"},
		{func(m *cost.Model) { m.Drift = 0.3 }, "the median block changed by +30.0 % of the mean block"},
		{func(m *cost.Model) { m.Runs, m.RunSpread = 2, 0.2 }, "the 2 runs of the calibration differ by 20 %"},
		{func(m *cost.Model) { m.Machine = cost.Machine{} }, "does not tell on what machine"},
	} {
		m := &cost.Model{Ledger: "badger", Machine: machine()}
		tc.weaken(m)
		said := CostWarnings(m)
		if tc.want == "" && len(said) > 0 || tc.want != "" && (len(said) != 1 || !strings.Contains(said[0], tc.want)) {
			t.Errorf("%q, want %q", said, tc.want)
		}
	}
}

func TestCalibrateRefuses(t *testing.T) {
	tr, payloads := sized(t, 40, time.Millisecond, 100)
	k := known{}
	for want, s := range map[string]Scenario{
		"one ledger":        {Ledgers: []string{"badger", "memory"}},
		"stores blocks":     {Ledgers: []string{RecordedLedger}},
		"at least 40":       {Ledgers: []string{"badger"}},
		"two cost models":   {Ledgers: []string{"badger"}, Costs: []*cost.Model{{Ledger: "x"}, {Ledger: "x"}}},
		"there is no clock": {Ledgers: []string{"badger"}, Clock: "moon"},
	} {
		s.Scale, s.Payloads, s.LedgerDir, s.open = ledger.Unscaled(), payloads, t.TempDir(), k.opens(nil)
		if _, err := Calibrate(t.Context(), tr, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v", want, err)
		}
	}
}

// Payloads are streamed: a run holds a small part of them.
func TestPayloadsAreStreamed(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 600 MB of payloads")
	}
	const blocks, size = 600, 1 << 20
	tr, payloads := sized(t, blocks, time.Millisecond, size)
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before, most := stats.HeapAlloc, uint64(0)
	k := known{check: func(b *block.Block) error {
		if b.Number%20 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&stats)
			most = max(most, stats.HeapAlloc)
		}
		return nil
	}}
	replayAll(t, tr, Scenario{Ledgers: []string{"badger"}, Clock: Wall, Unpaced: true, Payloads: payloads, open: k.opens(nil)})
	if most == 0 || most-before > 64<<20 {
		t.Errorf("up to %d bytes were held, of %d", most-before, blocks*size)
	}
}

// The size of a ledger is that of its files when it has been opened again: what an engine keeps in
// its log while it is open, or in files with holes, is not counted.
func TestSizeOfLedger(t *testing.T) {
	tr, _ := sized(t, 500, 0, 500) // blocks are made up
	for _, spec := range []string{"leveldb:sync=false", "badger:sync=false", "pebble:sync=false", "bbolt:sync=false"} {
		t.Run(spec, func(t *testing.T) {
			results, out := replayAll(t, tr, Scenario{Ledgers: []string{spec}, Clock: Wall, Unpaced: true, Keep: true, Scale: ledger.Unscaled()})
			var dir string
			for _, f := range out.Facts {
				if _, kept, ok := strings.Cut(f, "its ledger is kept in "); ok {
					dir = kept
				}
			}
			l, err := ledger.Open(spec, ledger.Config{Dir: dir, Existing: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			settled, err := ledger.DiskBytes(dir)
			if err != nil {
				t.Fatal(err)
			}
			size := results[0].Measured[0].Size.Or(0)
			t.Logf("%d bytes, %d after it was opened again", size, settled)
			if off := size - settled; off > settled/20 || -off > settled/20 {
				t.Errorf("%d bytes were measured, and %d are on the disk after the ledger was opened again", size, settled)
			}
		})
	}
}

// A result of a real ledger, or of a cost model, tells the ledger and the number of its
// validators, and not those of the recorded peer.
func TestValidatorsAreTold(t *testing.T) {
	tr, payloads := sized(t, 100, 10*time.Millisecond, 100)
	tr.Timelines[0].Settings[traces.SettingValidatorPool] = "cpus"
	tr.Timelines[0].Settings[traces.SettingStateDatabase] = "goleveldb"
	synctest.Test(t, func(t *testing.T) {
		real := Scenario{plainTimers: true, Ledgers: []string{"badger"}, Clock: Wall, Validators: 3, Payloads: payloads, open: known{}.opens(nil)}
		results, out := replayAll(t, tr, real)
		if said := strings.Join(out.Facts, "\n"); !strings.Contains(said, "own blocks, and 3 validators") || results[0].Measured[0].Validators != analysis.Known(int64(3)) {
			t.Errorf("validators are not told: %s", said)
		}
		bare := real // its blocks are made up: nobody validates
		bare.Payloads = nil
		madeUp, out := replayAll(t, tr, bare)
		if said := strings.Join(out.Warnings, "\n"); !strings.Contains(said, "3 validators changed nothing") || madeUp[0].Measured[0].Validators.Known() ||
			madeUp[0].Trace.Timelines[0].Settings[traces.SettingValidatorPool] != "cpus" {
			t.Errorf("validators of made-up blocks: %s; %v", said, madeUp[0].Trace.Timelines[0].Settings)
		}
		bare.Clock, bare.Scale, bare.LedgerDir, bare.Validators = "", ledger.Unscaled(), t.TempDir(), 1000
		if c, err := Calibrate(t.Context(), tr, bare); err != nil || c.Machine.Validators == 1000 || !strings.Contains(strings.Join(c.Warnings, "\n"), "1,000 validators changed nothing") {
			t.Errorf("calibrated with made-up blocks: %v, %+v", err, c)
		}
		real.Clock, real.Scale, real.LedgerDir = "", ledger.Unscaled(), t.TempDir()
		c, err := Calibrate(t.Context(), tr, real)
		if err != nil {
			t.Fatal(err)
		}
		if c.Machine.Validators != 3 || c.Machine.CPUs != runtime.NumCPU() || c.Machine.Directory != real.LedgerDir || c.Machine.Date != "2000-01-01" {
			t.Errorf("calibrated on %+v", c.Machine)
		}
		if said := strings.Join(CostWarnings(c.Model), "\n"); strings.Contains(said, "CPUs") {
			t.Errorf("on the same machine: %s", said)
		}
		forecasts, _ := replayAll(t, tr, Scenario{Costs: []*cost.Model{c.Model}})
		for _, r := range []Result{results[0], forecasts[0]} {
			set := r.Trace.Timelines[0].Settings
			if set[traces.SettingValidatorPool] != "3" || set[traces.SettingStateDatabase] != "badger" {
				t.Errorf("%s: settings %v", r.Name(), set)
			}
		}
		c.Machine.CPUs++
		if said := strings.Join(CostWarnings(c.Model), "\n"); !strings.Contains(said, "valid only there") {
			t.Errorf("on another machine: %s", said)
		}
	})
}

// A forecast that misses by more than a tenth is told, a single stall or block is not.
func TestCheckDistrust(t *testing.T) {
	far := analysis.Known(0.5)
	for _, tc := range []struct {
		d    analysis.Difference
		want string
	}{
		{analysis.Difference{Figure: "makespan", Unit: "ns", Want: 100, Got: 108, Error: analysis.Known(0.08)}, ""},
		{analysis.Difference{Figure: "makespan", Unit: "ns", Want: 100, Got: 80, Error: analysis.Known(-0.2)}, "(makespan −20.0 %)"},
		{analysis.Difference{Figure: "max_gap", Unit: "blocks", Want: 2, Got: 3, Error: far}, ""},
		{analysis.Difference{Figure: "max_gap", Unit: "blocks", Want: 4, Got: 6, Error: far}, "(max gap +50.0 %)"},
		{analysis.Difference{Figure: "p99", Unit: "ns", Want: 0, Got: 6}, "(p99 unknown)"},
		{analysis.Difference{Figure: "max", Unit: "ns", Want: 4, Got: 6, Error: far}, ""},
	} {
		c := Check{Forecast: analysis.Forecast{Differences: analysis.Differences{tc.d}}}
		if got := c.Distrust(); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%+v: %q, want %q", tc.d, got, tc.want)
		}
	}
}

// An interrupted run says where its ledger is kept.
func TestKeptAfterAnInterrupt(t *testing.T) {
	tr, payloads := sized(t, 200, time.Millisecond, 100)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		k := known{check: func(b *block.Block) error {
			if b.Number == firstBlock+3 {
				cancel()
			}
			return nil
		}}
		s := Scenario{Ledgers: []string{"badger"}, Clock: Wall, Keep: true, LedgerDir: dir, Scale: ledger.Unscaled(), Payloads: payloads, plainTimers: true, open: k.opens(nil)}
		_, err := Replay(ctx, tr, s, func(Result) error { return nil })
		var kept *KeptError
		if !errors.Is(err, context.Canceled) || !errors.As(err, &kept) || filepath.Dir(kept.Dir) != dir {
			t.Fatalf("error %v", err)
		}
		if _, err := os.Stat(kept.Dir); err != nil {
			t.Error(err)
		}
	})
}

// Of repeated runs the worst is told, setting by setting.
func TestWorstRunIsTold(t *testing.T) {
	o := &Outcome{}
	for _, by := range []float64{3, 9, 5} {
		o.addLate(lateRun{"N = 20 on badger", "ch", fmt.Sprintf("late by %g", by), by, 1})
		o.addLate(lateRun{"N = 20 on memory", "ch", "not late", 0, 1})
	}
	o.tellLate()
	if want := []string{"N = 20 on badger, in the worst of 3 runs: late by 9", "N = 20 on memory, in the worst of 3 runs: not late"}; !reflect.DeepEqual(o.Facts, want) {
		t.Errorf("facts %q", o.Facts)
	}
}
