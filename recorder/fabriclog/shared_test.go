package fabriclog

import (
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// shared returns the folder of real runs beside the module, and skips without it.
func shared(t testing.TB, run string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no go.mod above the test's directory")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, "..", "shared", "data", run)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the real run %s is not here", run)
	}
	return path
}

func file(path string) Source {
	return Source{Path: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }}
}

func files(dir string, names ...string) []Source {
	var out []Source
	for _, n := range names {
		out = append(out, file(filepath.Join(dir, n)))
	}
	return out
}

// figures are computed from the columns in the simplest way, apart from everything
// that the analysis does.
type figures struct {
	blocks                       int
	makespan, p50, p95, p99, max float64 // seconds
	maxGap                       int
}

func measure(tl *traces.Timeline) figures {
	type change struct {
		at int64
		by int
	}
	var f figures
	var latencies []int64
	var changes []change
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range tl.Len() {
		o, c := tl.Value(event.Offered, i), tl.Value(event.Committed, i)
		if o != event.Missing {
			first = min(first, o)
			changes = append(changes, change{o, 1})
		}
		if c != event.Missing {
			last = max(last, c)
			changes = append(changes, change{c, -1})
		}
		if o != event.Missing && c != event.Missing {
			f.blocks++
			latencies = append(latencies, c-o)
		}
	}
	if f.blocks == 0 {
		return f
	}
	slices.SortFunc(changes, func(a, b change) int {
		if a.at != b.at {
			return int(max(-1, min(1, a.at-b.at)))
		}
		return b.by - a.by
	})
	gap := 0
	for _, c := range changes {
		gap += c.by
		f.maxGap = max(f.maxGap, gap)
	}
	slices.Sort(latencies)
	rank := func(p float64) float64 {
		return float64(latencies[int(math.Ceil(p*float64(len(latencies))))-1]) / 1e9
	}
	f.makespan = float64(last-first) / 1e9
	f.p50, f.p95, f.p99, f.max = rank(0.50), rank(0.95), rank(0.99), rank(1)
	return f
}

// TestSharedRuns reads every real run and compares it with the table that came
// with the runs.
func TestSharedRuns(t *testing.T) {
	gz := []string{"orderer.log.gz"}
	for _, run := range []struct {
		folder   string
		orderers []string
		peer     string
		channel  string
		want     figures
	}{
		{"fabric-2.5-burst-n20-info", gz, "peer.log.gz", "ch1", figures{2400, 13.765, 4.680, 5.132, 5.182, 5.197, 1260}},
		{"fabric-2.5-burst-n2-info", gz, "peer.log.gz", "ch1", figures{2400, 42.228, 17.561, 33.283, 34.699, 35.031, 2005}},
		{"fabric-2.5-burst-n20-debug", gz, "peer.log.gz", "ch1", figures{2400, 17.252, 6.300, 6.826, 6.858, 6.871, 1412}},
		{"fabric-2.5-burst-n2-debug", gz, "peer.log.gz", "ch1", figures{2400, 42.959, 16.064, 29.988, 31.400, 31.750, 1792}},
		{"fabric-2.5-burst-n20-infojson", gz, "peer.log.gz", "ch1", figures{2400, 15.816, 5.244, 5.885, 6.008, 6.027, 1325}},
		{"fabric-2.5-steady-info", gz, "peer.log.gz", "ch1", figures{2400, 119.964, 0.009, 0.012, 0.016, 0.026, 1}},
		{"fabric-2.5-twochannels-info", gz, "peer.log.gz", "ch1", figures{2400, 18.925, 2.004, 3.468, 3.517, 3.526, 516}},
		{"fabric-2.5-twochannels-info", gz, "peer.log.gz", "ch2", figures{200, 39.818, 0.012, 0.030, 0.037, 0.046, 1}},
		{"fabric-2.5-catchup-n20-info", []string{"orderer.log.gz", "orderer-backlog.log.gz"}, "peer.log.gz", "ch1", figures{20000, 87.234, 51.707, 66.677, 67.453, 67.664, 20000}},
		{"fabric-2.5-catchup100k-n20-info", []string{"orderer.log.zst"}, "peer.log.zst", "ch1", figures{100000, 359.432, 178.336, 244.409, 250.042, 251.554, 100000}},
		{"fabric-2.5-mvcc-debug", gz, "peer.log.gz", "ch1", figures{300, 3.166, 1.206, 1.577, 1.596, 1.602, 200}},
		{"fabric-3.1-burst-n20-info", gz, "peer.log.gz", "ch1", figures{2400, 14.182, 4.680, 5.638, 5.664, 5.671, 1328}},
	} {
		t.Run(run.folder+"/"+run.channel, func(t *testing.T) {
			dir := shared(t, run.folder)
			tr, report, err := Read(context.Background(), Config{
				Orderers: files(dir, run.orderers...),
				Peers:    files(dir, run.peer),
				Channels: []string{run.channel},
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(tr.Timelines) != 1 {
				t.Fatalf("%d streams, want 1", len(tr.Timelines))
			}
			got, want := measure(tr.Timelines[0]), run.want
			near := func(what string, g, w, tolerance float64) {
				if math.Abs(g-w) > tolerance {
					t.Errorf("%s %.4f, want %.4f", what, g, w)
				}
			}
			if got.blocks != want.blocks || tr.Timelines[0].Len() != want.blocks || got.maxGap != want.maxGap {
				t.Errorf("got %+v, want %+v, timeline %d", got, want, tr.Timelines[0].Len())
			}
			// The table has milliseconds.
			near("makespan", got.makespan, want.makespan, 0.0011)
			near("p50", got.p50, want.p50, 0.0011)
			near("p95", got.p95, want.p95, 0.0011)
			near("p99", got.p99, want.p99, 0.0011)
			near("max", got.max, want.max, 0.0011)
			for _, f := range report.Files {
				if f.Undated+f.Torn+f.Garbage+f.LongLines+f.Repeated > 0 || f.Damage != nil {
					t.Errorf("unexpected trouble: %+v", f)
				}
			}
		})
	}
}
