package replay_test

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/golden"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/traces"
)

// sample reads a trace of a real run that the project ships.
func sample(t testing.TB, name string) *traces.Trace {
	t.Helper()
	tr, err := traces.ReadFile(filepath.Join("..", "traces", "samples", name+".reel"))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// bounds are the largest errors that a replay may have, as shares.
type bounds struct{ makespan, gap, latency float64 }

func (b bounds) check(t *testing.T, d analysis.Differences) {
	t.Helper()
	for _, x := range d {
		limit := b.latency
		switch x.Figure {
		case "makespan":
			limit = b.makespan
		case "max_gap":
			limit = b.gap
		case "p90", "p99_9", "max":
			continue
		}
		if e, ok := x.Error.Get(); !ok || math.Abs(e) > limit {
			t.Errorf("%s: %d, not %d: error %+.2f %%, more than %.0f %%", x.Figure, x.Got, x.Want, 100*e, 100*limit)
		}
	}
}

// TestIdentity: the replay of a real run with its own settings gives the run back.
func TestIdentity(t *testing.T) {
	wide, narrow := bounds{0.01, 0.01, 0.02}, bounds{0.03, 0.03, 0.05}
	for name, limit := range map[string]bounds{
		"fabric-1.4-catchup-n100":       wide,
		"fabric-1.4-catchup-n100-debug": wide,
		"fabric-2.5-burst-n20":          wide,
		"fabric-2.5-burst-n20-debug":    wide,
		"fabric-2.5-burst-n20-json":     wide,
		"fabric-2.5-burst-n2":           narrow,
		"fabric-2.5-burst-n2-debug":     narrow,
		"fabric-2.5-steady-n20":         wide,
		"fabric-2.5-twochannels-n20":    wide,
		"fabric-2.5-catchup-n20":        wide,
		"fabric-2.5-catchup100k-n20":    wide,
		"fabric-2.5-mvcc-n20-debug":     wide,
		"fabric-3.1-burst-n20":          wide,
	} {
		t.Run(name, func(t *testing.T) {
			out := run(t, sample(t, name), replay.Scenario{})
			for _, id := range out.Identity {
				t.Log(id.Stream, id)
				limit.check(t, id.Differences)
			}
			// What the core has made, the core replays to the nanosecond.
			again := run(t, out.Results[0].Trace, replay.Scenario{})
			for _, id := range again.Identity {
				if !id.Exact {
					t.Errorf("%s: the replay of a replay differs from it: %s", id.Stream, id)
				}
			}
		})
	}
}

// forecast replays the arrivals and settings of one run with the services of another.
func forecast(t *testing.T, arrivals, services string) analysis.Differences {
	t.Helper()
	recorded := sample(t, arrivals)
	out := run(t, recorded, replay.Scenario{Services: sample(t, services)})
	want, got := analysis.StatsOf(recorded.Timelines[0]), analysis.StatsOf(out.Results[0].Trace.Timelines[0])
	return analysis.Compare(&want, &got)
}

// TestForecastOfAnotherBuffer: the peer of the run with N = 20, given the arrivals of
// the run with N = 2, does what the peer did there.
func TestForecastOfAnotherBuffer(t *testing.T) {
	bounds{0.05, 0.08, 0.08}.check(t, forecast(t, "fabric-2.5-burst-n2", "fabric-2.5-burst-n20"))
}

// burstRuns offered the same 2,400 blocks of ten transactions.
var burstRuns = []string{
	"fabric-2.5-burst-n2", "fabric-2.5-burst-n2-debug",
	"fabric-2.5-burst-n20", "fabric-2.5-burst-n20-debug", "fabric-2.5-burst-n20-json",
	"fabric-3.1-burst-n20",
}

// TestForecastGolden makes the tables of the README: every pair of burst runs, once
// with the arrivals of one and the services of the other, once blind, from one run
// alone to the other's N.
func TestForecastGolden(t *testing.T) {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	header := "makespan\tforecast\terror\tmax gap\tforecast\terror\tp50\tp95\tp99\n"
	row := func(a, b string, d analysis.Differences) {
		cell := map[string]analysis.Difference{}
		for _, x := range d {
			cell[x.Figure] = x
		}
		percent := func(figure string) string {
			e, _ := cell[figure].Error.Get()
			return fmt.Sprintf("%+.1f %%", 100*e)
		}
		m, g := cell["makespan"], cell["max_gap"]
		fmt.Fprintf(w, "%s\t%s\t%.2f s\t%.2f s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", a, b,
			float64(m.Want)/1e9, float64(m.Got)/1e9, percent("makespan"), g.Want, g.Got, percent("max_gap"),
			percent("p50"), percent("p95"), percent("p99"))
	}
	fmt.Fprintf(w, "arrivals, N, poll of\tservices of\t%s", header)
	for _, arrivals := range burstRuns {
		for _, services := range burstRuns {
			row(short(arrivals), short(services), forecast(t, arrivals, services))
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	table.WriteByte('\n')
	fmt.Fprintf(w, "from this run alone\tto the N of\t%s", header)
	for _, from := range burstRuns {
		for _, to := range burstRuns {
			if d := blind(t, from, to); d != nil {
				row(short(from), short(to), d)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join("testdata", "forecast.txt"), table.Bytes())
	t.Logf("\n%s", table.Bytes())
}

// blind forecasts from run a to the N of run b and compares with b; nil when a has it.
func blind(t *testing.T, a, b string) analysis.Differences {
	t.Helper()
	from, to := sample(t, a), sample(t, b)
	n, _ := to.Timelines[0].Settings.Int(traces.SettingBuffer)
	if own, _ := from.Timelines[0].Settings.Int(traces.SettingBuffer); own == n {
		return nil
	}
	out := run(t, from, replay.Scenario{Buffers: []int{int(n)}})
	want, got := analysis.StatsOf(to.Timelines[0]), analysis.StatsOf(out.Results[0].Trace.Timelines[0])
	return analysis.Compare(&want, &got)
}

func short(name string) string { return strings.TrimPrefix(name, "fabric-") }
