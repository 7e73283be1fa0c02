package report

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/golden"
)

// measured are runs of a setting at some rates.
func measured(setting, peer string, disk int64, rates ...float64) (runs []analysis.LedgerRun) {
	for i, rate := range rates {
		r := analysis.LedgerRun{
			Setting: setting, Run: i + 1, Channel: "ch1", Peer: peer, Warmup: 100, Blocks: 2300,
			BlockRate: analysis.Known(rate), TransactionRate: analysis.Known(10 * rate), ByteRate: analysis.Known(33e3 * rate),
			Capacity: analysis.Known(1.1 * rate), MaxGap: analysis.Known(int64(1200 - rate)),
			Latency: &analysis.Quantiles{P50: int64(1e12 / rate), P95: int64(2e12 / rate), P99: int64(3e12 / rate), Mean: 1e12 / rate},
			Service: &analysis.Quantiles{Mean: 1e9 / rate, P99: int64(4e9 / rate), Max: int64(9e9 / rate)},
			Stages: []analysis.StageTime{
				{Name: "validation", Duration: &analysis.Quantiles{Mean: 4e8 / rate}},
				{Name: "block_and_pvtdata_commit", Duration: &analysis.Quantiles{Mean: 6e8 / rate}},
			},
			Payload: analysis.Known(int64(80_000_000)), Unpaced: true,
		}
		if disk > 0 {
			r.Size = analysis.Known(disk)
		}
		runs = append(runs, r)
	}
	return runs
}

func joined(all ...[]analysis.LedgerRun) (runs []analysis.LedgerRun) {
	for _, r := range all {
		runs = append(runs, r...)
	}
	return runs
}

func TestLedgerGoldens(t *testing.T) {
	silent := measured("n20-null", "peer0", 0, 50)
	silent[0] = analysis.LedgerRun{Setting: "n20-null", Channel: "ch1", Peer: "peer0", NotMeasured: "null stores nothing"}
	sizeless := measured("n20-badger", "peer0", 85_000_000, 50)
	sizeless[0].Payload, sizeless[0].ByteRate = analysis.Optional[int64]{}, analysis.Optional[float64]{}
	other := sweep()
	for i := range other.Points {
		other.Points[i].Makespan *= 2
	}
	for name, write := range map[string]func(io.Writer) error{
		"ledgers_repeated": func(w io.Writer) error {
			return Ledgers(w, joined(measured("unbounded-badger", "peer0", 85_000_000, 231, 228, 240), measured("unbounded-memory", "peer0", 0, 700, 690, 655)))
		},
		"ledgers_streams": func(w io.Writer) error {
			return Ledgers(w, joined(measured("n20-badger", "peer0", 85_000_000, 231), measured("n20-badger", "", 85_000_000, 17)))
		},
		"ledgers_not_valid": func(w io.Writer) error {
			held := measured("n20-badger", "peer0", 85_000_000, 231, 12, 228, 240)
			held[1].Invalid = "the replayer was the bottleneck"
			none := measured("n20-memory", "peer0", 0, 690, 655)
			none[0].Invalid, none[1].Invalid = "too slow", "too slow"
			single := measured("n20-pebble", "peer0", 85_000_000, 180)
			single[0].Invalid = "too slow"
			return Ledgers(w, joined(held, none, single))
		},
		"ledgers_warmups": func(w io.Writer) error {
			short := measured("n20-badger", "peer1", 85_000_000, 17)
			short[0].Warmup = 1
			return Ledgers(w, joined(measured("n20-badger", "peer0", 85_000_000, 231), short))
		},
		"ledgers_without_sizes": func(w io.Writer) error { return Ledgers(w, sizeless) },
		"ledgers_nothing":       func(w io.Writer) error { return Ledgers(w, silent) },
		"costs": func(w io.Writer) error {
			return Costs(w, []StageCost{
				{"validation", 200e3, 150e3, 0, 0, 1_700_000},
				{"block_and_pvtdata_commit", 900e3, 0, 12.4, 20, 1_560_000},
			})
		},
		"ledger_sweeps": func(w io.Writer) error {
			return LedgerSweeps(w, []LedgerSweep{{"badger", sweep()}, {"leveldb", other}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, filepath.Join("testdata", name+".txt"), b.Bytes())
			if err := write(full{}); !errors.Is(err, errFull) {
				t.Errorf("a full disk gives %v", err)
			}
		})
	}
	if err := Ledgers(full{}, nil); err != nil {
		t.Errorf("of no runs something is written: %v", err)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
