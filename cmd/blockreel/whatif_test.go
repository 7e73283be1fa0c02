package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay"
)

// repeatedRuns are three runs of recorded services and of a ledger; the second of the
// ledger's was held up.
func repeatedRuns() *whatIf {
	w := &whatIf{outcome: &replay.Outcome{Facts: []string{}, Invalid: []string{"N = 20 on badger, run 2: held up"}}}
	for run, seconds := range []int64{5, 9, 7} {
		for _, ledger := range []string{"recorded", "badger"} {
			s := analysis.StreamStats{Channel: "ch1", Peer: "peer0", Ledger: ledger, Makespan: analysis.Known(seconds * 1e9), Verdict: "so it is"}
			r := analysis.LedgerRun{Setting: "n20-badger", Run: run + 1, Ledger: "badger", Channel: "ch1", Peer: "peer0", BlockRate: analysis.Known(float64(seconds))}
			if ledger == "badger" && run == 1 {
				s.Invalid, r.Invalid = "held up", "held up"
			}
			setting := "n20"
			if ledger == "badger" {
				setting += "-badger"
				w.ledgers = append(w.ledgers, r)
			}
			w.streams = append(w.streams, runStats{setting, s})
			w.addRun(setting, ledger == "badger", s)
		}
	}
	return w
}

// Repeated runs have a row with medians and one with ranges, whatever their services are,
// and those that are not valid are named.
func TestTablesOfRepeatedRuns(t *testing.T) {
	var out bytes.Buffer
	if err := repeatedRuns().tables(&out); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"n20-badger 6 – –",
		"least–greatest 5–7\n",
		"n20-badger: 2 of 3 runs, run 2 is not valid",
		"ch1@peer0 recorded – 7.000 s",
		"least–greatest 5.000–9.000 s\n",
		"ch1@peer0 badger – 6.000 s",
		"least–greatest 5.000–7.000 s\n",
		"n20, run 3, whose makespan is the median: so it is\n",
		"n20-badger, run 1, of the two with the middle makespans the one with the lesser: so it is\n",
	} {
		if !strings.Contains(text+"\n", want) {
			t.Errorf("there is no %q in\n%s", want, &out)
		}
	}
	if n := strings.Count(text, "run 2 is not valid"); n != 1 {
		t.Errorf("run 2 is told %d times in\n%s", n, &out)
	}
}

// The same as numbers.
func TestJSONOfRepeatedRuns(t *testing.T) {
	w := repeatedRuns()
	text, err := json.Marshal(w.result(nil, analysis.CompareLedgers(w.ledgers), nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"stream_settings":[{"setting":"n20","channel":"ch1","peer":"peer0","runs":3,"figures":{"makespan_ns":{"count":3,"median":7000000000,"min":5000000000,"max":9000000000}}}`,
		`"ledger_settings":[{"setting":"n20-badger","channel":"ch1","peer":"peer0","runs":3,"not_valid_runs":[2],"figures":{"blocks_per_s":{"count":2,"median":6,"min":5,"max":7}}}]`,
		`"not_valid":["N = 20 on badger, run 2: held up"]`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	w.settings, w.ledgers = w.settings[:1], nil
	w.settings[0].runs = w.settings[0].runs[:1]
	if r := w.result(nil, nil, nil); r.StreamSettings != nil || r.LedgerSettings != nil {
		t.Error("settings that ran once have medians")
	}
}
