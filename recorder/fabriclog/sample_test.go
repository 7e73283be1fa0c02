package fabriclog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSample compares the committed excerpt with the figures of testdata/README.md.
func TestSample(t *testing.T) {
	tr, report := read(t, Config{
		Orderers: []Source{file("testdata/orderer.log")},
		Peers:    []Source{file("testdata/peer.log")},
		Tool:     "blockreel test",
	})
	if len(tr.Timelines) != 1 || tr.Source != "logs" || tr.Tool != "blockreel test" {
		t.Fatalf("header %+v", tr.Header)
	}
	tl := tr.Timelines[0]
	got := measure(tl)
	if got.blocks != 50 || got.makespan != 0.431 || got.p50 != 0.139 || got.p95 != 0.222 || got.max != 0.229 {
		t.Errorf("figures %+v", got)
	}
	if tl.First != 4 || tl.Len() != 60 || report.Streams[0].NotCommitted != 10 {
		t.Errorf("first %d, length %d, report %+v", tl.First, tl.Len(), report.Streams[0])
	}
	if want := time.Date(2026, 11, 22, 9, 56, 30, 638e6, time.UTC); !tr.Base.Equal(want) || tl.Value(event.Offered, 0) != 0 {
		t.Errorf("base %v, first offer %d", tr.Base, tl.Value(event.Offered, 0))
	}
	// Block 4: received .643, validated .646, committed .654 with 10 transactions in
	// 6ms (state_validation=0ms block_and_pvtdata_commit=4ms state_commit=1ms).
	for kind, want := range map[event.Kind]int64{
		event.Dequeued: 5e6, event.Validated: 8e6, event.Committed: 16e6, event.Transactions: 10,
		event.StateValidation: 0, event.BlockStore: 4e6, event.StateCommit: 1e6,
		event.Received: event.Missing, event.AtDoor: event.Missing, event.HistoryCommit: event.Missing,
	} {
		if got := tl.Value(kind, 0); got != want {
			t.Errorf("%v of block 4 is %d, want %d", kind, got, want)
		}
	}
	checkSettings(t, tl.Settings, "1000000")
	if tl.Peer != "peer0.org1.example.com" || tl.Channel != "ch1" || tl.Orderer != "orderer" {
		t.Errorf("stream %+v", tl.Stream)
	}
	if w := noted(tr, traces.NoteWarning); !strings.Contains(w, "10 of 60 blocks have no commit") {
		t.Errorf("warnings: %s", w)
	}
}

func checkSettings(t *testing.T, got traces.Settings, resolution string) {
	t.Helper()
	for name, want := range map[string]string{
		traces.SettingPreset: "fabric-2.x", traces.SettingFabricVersion: "2.5.16", traces.SettingBuffer: "20",
		traces.SettingValidatorPool: "cpus", traces.SettingStateDatabase: "goleveldb", traces.SettingResolution: resolution,
	} {
		if got[name] != want {
			t.Errorf("setting %s is %q, want %q", name, got[name], want)
		}
	}
}

// TestSampleDebug checks what only DEBUG tells: the door, the buffer, the send.
func TestSampleDebug(t *testing.T) {
	tr, _ := read(t, Config{
		Orderers: []Source{file("testdata/orderer-debug.log")},
		Peers:    []Source{file("testdata/peer-debug.log")},
	})
	tl := tr.Timelines[0]
	for _, k := range []event.Kind{event.Offered, event.Sent, event.AtDoor, event.Enqueued, event.Dequeued, event.Validated, event.Committed} {
		if n := tl.Observed(k); n != 20 {
			t.Errorf("%v of %d blocks, want 20", k, n)
		}
	}
	at := func(k event.Kind) string {
		return tr.Base.Add(time.Duration(tl.Value(k, 0))).Format("05.000000")
	}
	got := strings.Join([]string{at(event.Offered), at(event.Sent), at(event.AtDoor), at(event.Enqueued), at(event.Dequeued)}, " ")
	// From the logs by eye. Sent is that of the stream that begins at block 4, as
	// the peer asked; two others, from block 3 and from 0, are captures.
	if want := "02.522220 02.526425 02.534151 02.534286 02.535285"; got != want {
		t.Errorf("block 4 offered, sent, at door, enqueued, dequeued at %s, want %s", got, want)
	}
}

// shapes are ways in which the same log can reach a reader.
var shapes = map[string]func(string) string{
	"no colours": stripColours,
	"CRLF":       func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
	"1.4 layout": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf("\x1b[34m%s [%s] %s -> %s %s\x1b[0m %s", e.stamp, e.module, e.function, e.level, e.id, e.message)
		})
	},
	"message first": func(s string) string {
		return eachEntry(s, func(e entry) string { return fmt.Sprintf("%s %s [%s] %s", e.level, e.stamp, e.module, e.message) })
	},
	"ISO": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf("%s %s %s %s", e.time(t3339), e.level, e.module, e.message)
		})
	},
	"ISO with offset": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf("time=%s [%s] %s", e.local(t3339, 90*60), e.module, e.message)
		})
	},
	"slashes and comma": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf("[%s] %s: %s", e.time("2006/01/02 15:04:05,000"), e.module, e.message)
		})
	},
	"microseconds, no zone": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf("%s %s [%s] %s", e.time("2006-01-02 15:04:05.000000"), e.level, e.module, e.message)
		})
	},
	"nanoseconds": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf("%s [%s] %s", e.time("2006-01-02 15:04:05.000000000 -0700"), e.module, e.message)
		})
	},
	"JSON": func(s string) string { return eachEntry(s, entry.json) },
	"JSON in milliseconds": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf(`{"msg":%s%s,"timestamp":%d}`, quote(e.message), e.fields(`,"channel":"%s"`), e.at.UnixMilli())
		})
	},
	"JSON in nanoseconds": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf(`{"channel": "ch1", "ts": %d, "msg": %s}`, e.at.UnixNano(), quote(e.message))
		})
	},
	"JSON with ISO": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf(`{"level":"info","ts":%q,"msg":%s%s}`, e.time(t3339), quote(e.message), e.fields(`,"channel":"%s"`))
		})
	},
	"logfmt": func(s string) string { return eachEntry(s, entry.logfmt) },
	"logfmt after a collector's stamp": func(s string) string {
		return prefixed(eachEntry(s, entry.logfmt), "2026-11-22T09:59:59.123456789Z stdout F ")
	},
	"docker compose":  func(s string) string { return prefixed(s, "peer0.org1.example.com  | ") },
	"kubernetes":      func(s string) string { return prefixed(s, "2026-11-22T09:59:59.348123456Z stdout F ") },
	"kubernetes JSON": func(s string) string { return prefixed(eachEntry(s, entry.json), "2026-11-22T09:59:59.3Z stderr F ") },
	"syslog":          func(s string) string { return prefixed(s, "Nov 22 09:59:59 host7 peer[412]: ") },
	"docker json-file": func(s string) string {
		return eachLine(s, func(l string) string {
			return `{"log":` + quote(l+"\n") + `,"stream":"stdout","time":"2026-11-22T09:59:59.348123456Z"}`
		})
	},
	"docker json-file of JSON": func(s string) string {
		return eachLine(eachEntry(s, entry.json), func(l string) string {
			return `{"log":` + quote(l+"\n") + `,"stream":"stdout","time":"2026-11-22T09:59:59.348123456Z"}`
		})
	},
	"stamp of the collector is finer": func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf("%s host7 peer0: %s [%s] %s", e.time(t3339), e.time("2006-01-02 15:04:05"), e.module, e.message)
		})
	},
	"neighbours swapped": func(s string) string {
		lines := strings.SplitAfter(s, "\n")
		for i := len(lines) / 2; i+1 < len(lines); i += 3 {
			lines[i], lines[i+1] = lines[i+1], lines[i]
		}
		return strings.Join(lines, "")
	},
	"every line twice": func(s string) string {
		return eachLine(s, func(l string) string { return l + "\n" + l })
	},
	"gzip": func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte(s))
		w.Close()
		return b.String()
	},
	"zstd": func(s string) string {
		var b bytes.Buffer
		w, _ := zstd.NewWriter(&b)
		w.Write([]byte(s))
		w.Close()
		return b.String()
	},
}

// TestShapes reads the sample in every shape: nothing that the figures need may
// change, and no block and no setting may be lost.
func TestShapes(t *testing.T) {
	testShapes(t, sample(t, "orderer.log"), sample(t, "peer.log"))
}

// TestShapesOfSharedRun does the same with a whole real run.
func TestShapesOfSharedRun(t *testing.T) {
	dir := shared(t, "fabric-2.5-burst-n20-info")
	testShapes(t, string(unpack(t, dir, "orderer.log.gz")), string(unpack(t, dir, "peer.log.gz")))
}

func testShapes(t *testing.T, orderer, peer string) {
	plain, _ := read(t, Config{Orderers: []Source{text("orderer.log", orderer)}, Peers: []Source{text("peer.log", peer)}})
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			tr, report := read(t, Config{
				Orderers: []Source{text("orderer.log", shape(orderer))},
				Peers:    []Source{text("peer.log", shape(peer))},
			})
			same(t, tr, plain)
			checkSettings(t, tr.Timelines[0].Settings, tr.Timelines[0].Settings[traces.SettingResolution])
			for _, f := range report.Files {
				if f.Undated+f.Torn+f.Garbage > 0 {
					t.Errorf("trouble: %+v", f)
				}
			}
		})
	}
}

// same compares everything but notes and the resolution.
func same(t *testing.T, got, want *traces.Trace) {
	t.Helper()
	if len(got.Timelines) != len(want.Timelines) {
		t.Fatalf("%d streams, want %d", len(got.Timelines), len(want.Timelines))
	}
	if !got.Base.Equal(want.Base) {
		t.Errorf("base %v, want %v", got.Base, want.Base)
	}
	for i, w := range want.Timelines {
		g := got.Timelines[i]
		if g.First != w.First || g.Len() != w.Len() || g.Name() != w.Name() {
			t.Fatalf("%s: %d blocks from %d, want %s: %d from %d", g.Name(), g.Len(), g.First, w.Name(), w.Len(), w.First)
		}
		for k := range event.NumKinds {
			for j := range w.Len() {
				if a, b := g.Value(event.Kind(k), j), w.Value(event.Kind(k), j); a != b {
					t.Fatalf("%v of block %d is %d, want %d", event.Kind(k), g.Block(j), a, b)
				}
			}
		}
	}
}

const t3339 = "2006-01-02T15:04:05.000Z07:00"

// An entry is a parsed line of the sample, to be written in another layout.
type entry struct {
	stamp, id, level, module, function, message string
	at                                          time.Time
}

var entryRE = regexp.MustCompile(`(?s)^(?:\x1b\[\d+m)?(\S+ \S+ UTC) (\S+) (\w+)(?:\x1b\[0m)? \[([^]]+)\] (?:\x1b\[\d+;1m)?(\S+?)(?:\x1b\[0m)? -> (.*)$`)

func (e entry) time(layout string) string { return e.at.Format(layout) }
func (e entry) local(layout string, east int) string {
	return e.at.In(time.FixedZone("", east)).Format(layout)
}

// fields returns the message's channel field in another format.
func (e entry) fields(format string) string {
	if m := regexp.MustCompile(` channel=(\S+)`).FindStringSubmatch(e.message); m != nil {
		return fmt.Sprintf(format, m[1])
	}
	return ""
}

func (e entry) bare() string {
	return regexp.MustCompile(` channel=\S+( node=\d+)?$`).ReplaceAllString(e.message, "")
}

// seconds as zap writes them: the shortest digits of a float64.
func (e entry) seconds() string {
	return strconv.FormatFloat(float64(e.at.UnixNano())/1e9, 'f', -1, 64)
}

func (e entry) json() string {
	return fmt.Sprintf(`{"level":"info","ts":%s,"name":%q,"caller":"a/b.go:10","msg":%s%s}`,
		e.seconds(), e.module, quote(e.bare()), e.fields(`,"channel":"%s"`))
}

func (e entry) logfmt() string {
	return fmt.Sprintf(`ts=%s level=info name=%s caller=a/b.go:10 msg=%s%s`,
		e.seconds(), e.module, quote(e.bare()), e.fields(` channel=%s`))
}

func quote(s string) string {
	q := strconv.Quote(s)
	return strings.ReplaceAll(q, `\x1b`, `\u001b`)
}

// eachEntry rewrites entries, multi-line ones as one.
func eachEntry(s string, write func(entry) string) string {
	var out strings.Builder
	var entries []string
	for _, l := range strings.SplitAfter(s, "\n") {
		if n := len(entries); n > 0 && !entryRE.MatchString(l) {
			entries[n-1] += l
		} else {
			entries = append(entries, l)
		}
	}
	for _, text := range entries {
		m := entryRE.FindStringSubmatch(strings.TrimSuffix(text, "\n"))
		if m == nil {
			continue
		}
		at, err := time.Parse("2006-01-02 15:04:05.000 MST", m[1])
		if err != nil {
			panic(err)
		}
		out.WriteString(write(entry{m[1], m[2], m[3], m[4], m[5], m[6], at}) + "\n")
	}
	return out.String()
}

func eachLine(s string, write func(string) string) string {
	var out strings.Builder
	for _, l := range strings.SplitAfter(s, "\n") {
		if l != "" {
			out.WriteString(write(strings.TrimSuffix(l, "\n")) + "\n")
		}
	}
	return out.String()
}

func prefixed(s, prefix string) string {
	return eachLine(s, func(l string) string { return prefix + l })
}

func stripColours(s string) string {
	return regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(s, "")
}
