// Package lint holds tests of the module's own shape.
package lint

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const (
	module      = "github.com/blockreel/blockreel/"
	fabricProto = "internal/fabric/proto/"
)

// allowed lists, for every room, the rooms of this module that it may import: one
// way, from the file to the program. A package that is not listed here fails the
// test, so that a new room states its place.
var allowed = map[string][]string{
	"traces/event":                  {},
	"traces/finding":                {},
	"traces":                        {"traces/event", "traces/finding", "internal/outfile"},
	"recorder":                      {"traces", "traces/event", "traces/finding"},
	"recorder/fabriclog":            {"traces", "traces/event", "traces/finding"},
	"recorder/attach":               {"internal/fabric/blockfile", "internal/fabric", "internal/fabric/proto/common", "traces", "traces/event", "traces/finding"},
	"recorder/fabricnet":            {"recorder", "internal/fabric/scrape", "internal/fabric", "internal/fabric/deliver", "internal/fabric/identity", "traces", "traces/event", "traces/finding"},
	"recorder/merge":                {"traces", "traces/event", "traces/finding"},
	"replay/block":                  {"traces/event"},
	"replay/pipeline":               {"traces/event"},
	"replay/driver":                 {"replay/pipeline", "replay/block", "traces/event"},
	"replay/ledger":                 {"replay/block", "replay/ledger/blockfiles", "replay/ledger/couch", "internal/outfile", "internal/fabric", "internal/fabric/validate", fabricProto + "common", fabricProto + "peer", "traces/event"},
	"replay/ledger/blockfiles":      {"internal/fabric/blockfile", "internal/outfile"},
	"replay/ledger/couch":           {},
	"replay/ledger/couch/couchtest": {},
	"replay/network":                {"replay/pipeline", "replay/driver", "replay/ledger", "replay/block", "internal/fabric", "internal/fabric/deliver", "internal/fabric/identity", "internal/fabric/pki", "internal/fabric/mint", "traces", "traces/event", "traces/finding"},
	"replay/network/metrics":        {"replay/network", "traces", "traces/event", "traces/finding"},
	"replay/serve":                  {"internal/fabric", "internal/fabric/deliver", "internal/fabric/identity", fabricProto + "common", fabricProto + "peer", "internal/outfile", "recorder", "replay/driver", "traces", "traces/event", "traces/finding"},
	"replay/cost":                   {"replay/block", "traces/event", "analysis"},
	"replay":                        {"replay/pipeline", "replay/driver", "replay/ledger", "replay/cost", "replay/block", "traces", "traces/event", "traces/finding", "analysis"},
	"analysis":                      {"traces", "traces/event", "traces/finding"},
	"analysis/chart":                {"internal/outfile", "analysis", "traces", "traces/event", "traces/finding"},
	"analysis/report":               {"analysis", "traces", "traces/event", "traces/finding"},
	"cmd/blockreel":                 {"*"},
	"internal/fabric/blockfile":     {"internal/fabric"},
	"internal/fabric/scrape":        {},
	"internal/fabric/profile":       {"internal/fabric/deliver", "internal/fabric/identity"},
	"internal/fabric":               {fabricProto + "common", fabricProto + "peer"},
	"internal/fabric/blocktest":     {},
	"internal/fabric/fabrictest":    {"internal/fabric", "internal/fabric/deliver", "internal/fabric/identity", "internal/fabric/mint", "internal/fabric/pki", fabricProto + "msp"},
	"internal/fabric/interop":       {},
	"internal/fabric/identity":      {fabricProto + "msp"},
	"internal/fabric/validate":      {"internal/fabric", "internal/fabric/identity", fabricProto + "common", fabricProto + "peer"},
	"internal/fabric/pki":           {"internal/fabric/identity"},
	"internal/fabric/deliver":       {"internal/fabric", "internal/fabric/identity", fabricProto + "common", fabricProto + "orderer", fabricProto + "peer"},
	"internal/fabric/mint":          {"internal/fabric", "internal/fabric/identity", fabricProto + "common", fabricProto + "peer", fabricProto + "rwset", fabricProto + "kvrwset"},
	"internal/fabric/proto/common":  {},
	"internal/fabric/proto/orderer": {fabricProto + "common"},
	"internal/fabric/proto/peer":    {fabricProto + "common"},
	"internal/fabric/proto/msp":     {},
	"internal/fabric/proto/rwset":   {},
	"internal/fabric/proto/kvrwset": {},
	"internal/golden":               {},
	"internal/outfile":              {},
	"internal/lint":                 {},
}

// only lists modules that a single room may import.
var only = map[string]string{
	"gonum.org/v1/plot":                   "analysis/chart",
	"github.com/dgraph-io/badger":         "replay/ledger",
	"github.com/syndtr/goleveldb":         "replay/ledger",
	"github.com/cockroachdb/pebble":       "replay/ledger",
	"go.etcd.io/bbolt":                    "replay/ledger",
	"github.com/spf13/cobra":              "cmd/blockreel",
	"github.com/schollz/progressbar":      "cmd/blockreel",
	"github.com/prometheus/client_golang": "replay/network/metrics",
	"github.com/prometheus/common":        "internal/fabric/scrape",
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return pkgs
		case err != nil:
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestImportsGoOneWay(t *testing.T) {
	for _, p := range packages(t) {
		room := strings.TrimPrefix(p.ImportPath, module)
		rules, listed := allowed[room]
		if !listed {
			t.Errorf("%s has no entry in the import rules", room)
			continue
		}
		for _, imp := range p.Imports {
			if to, ours := strings.CutPrefix(imp, module); ours && !contains(rules, to) {
				t.Errorf("%s imports %s, which the rules do not allow", room, to)
			}
			for prefix, owner := range only {
				if strings.HasPrefix(imp, prefix) && room != owner {
					t.Errorf("%s imports %s; only %s may", room, imp, owner)
				}
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s || l == "*" {
			return true
		}
	}
	return false
}
