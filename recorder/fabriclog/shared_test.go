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

// TestSharedSettings checks what the banners of other runs say.
func TestSharedSettings(t *testing.T) {
	for _, run := range []struct {
		folder, peer              string
		blocks                    int
		version, preset, n, state string
	}{
		{"fabric-1.4-catchup-n100-info", "peer.log.gz", 20000, "1.4.12", "fabric-1.4", "100", ""},
		{"fabric-1.4-catchup-n100-debug-excerpt", "peer.log.gz", 2109, "1.4.12", "fabric-1.4", "100", ""},
		{"fabric-2.5-burst-n2-info", "peer.log.gz", 2400, "2.5.16", "fabric-2.x", "2", "goleveldb"},
		{"fabric-2.5-burst-n20-infojson", "peer.log.gz", 2400, "2.5.16", "fabric-2.x", "20", "goleveldb"},
		{"fabric-2.5-mvcc-blockfiles", "peer.log.gz", 200, "2.5.16", "fabric-2.x", "20", "goleveldb"},
		{"fabric-3.1-burst-n20-info", "peer.log.gz", 2400, "3.1.5", "fabric-3.x", "20", "goleveldb"},
	} {
		t.Run(run.folder, func(t *testing.T) {
			tr, _ := read(t, Config{Peers: files(shared(t, run.folder), run.peer), AssumeBacklog: true})
			if len(tr.Timelines) != 1 {
				t.Fatalf("%d streams", len(tr.Timelines))
			}
			tl := tr.Timelines[0]
			if n := tl.Observed(event.Committed); n != run.blocks {
				t.Errorf("%d blocks, want %d", n, run.blocks)
			}
			for name, want := range map[string]string{
				traces.SettingFabricVersion: run.version, traces.SettingPreset: run.preset,
				traces.SettingBuffer: run.n, traces.SettingStateDatabase: run.state,
			} {
				if got := tl.Settings[name]; got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if n := tl.Observed(event.Offered); n != tl.Len() || tl.Value(event.Offered, 0) != 0 {
				t.Errorf("backlog: %d of %d blocks offered", n, tl.Len())
			}
		})
	}
}

// TestSharedBuffer works out how many blocks the payloads buffer held, and how many
// were admitted and not committed, from the times alone: 2N + 1 and 2N + 2.
func TestSharedBuffer(t *testing.T) {
	for folder, n := range map[string]int{
		"fabric-1.4-catchup-n100-debug-excerpt": 100,
		"fabric-2.5-burst-n20-debug":            20,
		"fabric-2.5-burst-n2-debug":             2,
	} {
		t.Run(folder, func(t *testing.T) {
			tr, _ := read(t, Config{Peers: files(shared(t, folder), "peer.log.gz")})
			tl := tr.Timelines[0]
			if got := deepest(tl, event.Enqueued, event.Dequeued); got != 2*n+1 {
				t.Errorf("the buffer held %d blocks, want %d", got, 2*n+1)
			}
			if got := deepest(tl, event.Enqueued, event.Committed); got != 2*n+2 {
				t.Errorf("%d blocks were admitted and not committed, want %d", got, 2*n+2)
			}
			for i := range tl.Len() {
				door, in := tl.Value(event.AtDoor, i), tl.Value(event.Enqueued, i)
				if (door == event.Missing) != (in == event.Missing) && i < tl.Len()-1 || door > in && in != event.Missing {
					t.Fatalf("block %d stood at the door at %d and was enqueued at %d", tl.Block(i), door, in)
				}
			}
		})
	}
}

// deepest returns the greatest number of blocks between two kinds.
func deepest(tl *traces.Timeline, in, out event.Kind) int {
	type change struct {
		at int64
		by int
	}
	var changes []change
	for i := range tl.Len() {
		if v := tl.Value(in, i); v != event.Missing {
			changes = append(changes, change{v, 1})
			if v := tl.Value(out, i); v != event.Missing {
				changes = append(changes, change{v, -1})
			}
		}
	}
	slices.SortFunc(changes, func(a, b change) int {
		if a.at != b.at {
			return int(max(-1, min(1, a.at-b.at)))
		}
		return a.by - b.by
	})
	depth, most := 0, 0
	for _, c := range changes {
		depth += c.by
		most = max(most, depth)
	}
	return most
}

// TestSharedChannels reads two channels at once: two streams of one peer.
func TestSharedChannels(t *testing.T) {
	dir := shared(t, "fabric-2.5-twochannels-info")
	tr, _ := read(t, Config{Orderers: files(dir, "orderer.log.gz"), Peers: files(dir, "peer.log.gz")})
	if len(tr.Timelines) != 2 || tr.Streams[0].Name() != "ch1@peer0.org1.example.com" || tr.Streams[1].Channel != "ch2" {
		t.Fatalf("streams %+v", tr.Streams)
	}
	if a, b := tr.Timelines[0].Len(), tr.Timelines[1].Len(); a != 2400 || b != 200 {
		t.Errorf("%d and %d blocks", a, b)
	}
	// ch2 began first, and the trace's time with it.
	if tr.Timelines[1].Value(event.Offered, 0) != 0 || tr.Timelines[0].Value(event.Offered, 0) < 4e9 {
		t.Error("times do not count from the earliest offer")
	}
}

// TestSharedSent checks the Deliver stream that was picked among three: every block
// was sent after its offer and before the peer had it, and few were in flight.
func TestSharedSent(t *testing.T) {
	for _, folder := range []string{"fabric-2.5-burst-n20-debug", "fabric-2.5-burst-n2-debug", "fabric-2.5-mvcc-debug"} {
		t.Run(folder, func(t *testing.T) {
			dir := shared(t, folder)
			tr, _ := read(t, Config{Orderers: files(dir, "orderer.log.gz"), Peers: files(dir, "peer.log.gz")})
			tl := tr.Timelines[0]
			for i := range tl.Len() {
				offered, sent, door := tl.Value(event.Offered, i), tl.Value(event.Sent, i), tl.Value(event.AtDoor, i)
				if sent < offered || sent > door {
					t.Fatalf("block %d: offered %d, sent %d, at the door %d", tl.Block(i), offered, sent, door)
				}
			}
			if n := deepest(tl, event.Sent, event.AtDoor); n > 40 {
				t.Errorf("%d blocks in flight: this is another subscriber's stream", n)
			}
		})
	}
}
