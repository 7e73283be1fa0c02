package fabriclog

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// script writes log lines at milliseconds after a start.
type script struct{ strings.Builder }

func (s *script) at(ms int, format string, args ...any) *script {
	t := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
	s.WriteString(t.Format("2006-01-02 15:04:05.000 MST") + " 0001 INFO [m] f -> " + fmt.Sprintf(format, args...) + "\n")
	return s
}

func (s *script) writing(ms, block int) *script {
	return s.at(ms, "Writing block [%d] (Raft index: 7) to ledger channel=ch1 node=1", block)
}

func (s *script) received(ms, block int) *script {
	return s.at(ms, "Received block [%d] from buffer channel=ch1", block)
}

func (s *script) committed(ms, block int) *script {
	return s.at(ms, "[ch1] Committed block [%d] with 1 transaction(s) in 6ms (state_validation=0ms block_and_pvtdata_commit=4ms state_commit=1ms) commitHash=[00]", block)
}

func (s *script) adding(ms, block int) *script {
	s.at(ms, "Adding payload to local buffer, blockNum = [%d] channel=ch1", block)
	return s.at(ms, "[ch1] Adding payload to local buffer, blockNum = [%d]", block)
}

func (s *script) size(ms, blocks int) *script {
	return s.at(ms, "Blocks payloads buffer size for channel [ch1] is %d blocks", blocks)
}

// millis returns a column in ms after the trace's start, "-" where missing.
func millis(tl *traces.Timeline, k event.Kind) string {
	var out []string
	for i := range tl.Len() {
		if v := tl.Value(k, i); v == event.Missing {
			out = append(out, "-")
		} else {
			out = append(out, fmt.Sprint(v/1e6))
		}
	}
	return strings.Join(out, " ")
}

func expect(t *testing.T, tl *traces.Timeline, first int, want map[event.Kind]string) {
	t.Helper()
	if int(tl.First) != first {
		t.Errorf("the trace begins with block %d, want %d", tl.First, first)
	}
	for k, w := range want {
		if got := millis(tl, k); got != w {
			t.Errorf("%v: %s, want %s", k, got, w)
		}
	}
}

func warned(t *testing.T, tr *traces.Trace, kind, want string) {
	t.Helper()
	if got := noted(tr, kind); !strings.Contains(got, want) {
		t.Errorf("no %s says %q among:\n%s", kind, want, got)
	}
}

// A block that one side's log lacks is left out at the start, and stays, with a
// value missing, in the middle and at the end.
func TestBlocksOfOneSide(t *testing.T) {
	var o, p script
	for _, b := range []int{5, 6, 7, 9, 10} {
		o.writing(10*b, b)
	}
	for _, b := range []int{1, 2, 6, 7, 8, 9} {
		p.received(10*b+3, b).committed(10*b+5, b)
	}
	tr, report := read(t, Config{Orderers: []Source{text("o.log", o.String())}, Peers: []Source{text("p.log", p.String())}})
	expect(t, tr.Timelines[0], 6, map[event.Kind]string{
		event.Offered:   "0 10 - 30 40",
		event.Dequeued:  "3 13 23 33 -",
		event.Committed: "5 15 25 35 -",
	})
	r := report.Streams[0]
	if r.LeftOut != 3 || r.NotOffered != 1 || r.NotCommitted != 1 {
		t.Errorf("report %+v", r)
	}
	warned(t, tr, traces.NoteFact, "begins with block 6")
	warned(t, tr, traces.NoteWarning, "1 of 5 blocks have no offered time")
	warned(t, tr, traces.NoteWarning, "1 of 5 blocks have no commit")
}

func TestNoBlockInBoth(t *testing.T) {
	var o, p script
	o.writing(10, 1).writing(20, 2)
	p.committed(15, 7).committed(25, 8)
	tr, _ := read(t, Config{Orderers: []Source{text("o.log", o.String())}, Peers: []Source{text("p.log", p.String())}})
	expect(t, tr.Timelines[0], 7, map[event.Kind]string{event.Offered: "- -", event.Committed: "0 10"})
	warned(t, tr, traces.NoteWarning, "no block is in both")
}

func TestMissingSources(t *testing.T) {
	var o, p script
	o.writing(10, 1).writing(20, 2)
	p.received(13, 1).committed(15, 1).received(23, 2).committed(25, 2)
	peers, orderers := []Source{text("p.log", p.String())}, []Source{text("o.log", o.String())}

	tr, _ := read(t, Config{Peers: peers})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Offered: "- -", event.Dequeued: "0 10", event.Committed: "2 12"})
	warned(t, tr, traces.NoteWarning, "height gap, delivery latency and the wait at the orderer cannot be known")

	tr, _ = read(t, Config{Peers: peers, AssumeBacklog: true})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Offered: "0 0", event.Dequeued: "0 10", event.Committed: "2 12"})
	warned(t, tr, traces.NoteWarning, "a backlog is assumed: 2 blocks")

	tr, _ = read(t, Config{Orderers: orderers})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Offered: "0 10", event.Committed: "- -"})
	warned(t, tr, traces.NoteWarning, "no peer's log")

	// The orderer's log begins later than the backlog.
	tr, _ = read(t, Config{Peers: peers, Orderers: []Source{text("o.log", new(script).writing(20, 2).String())}, AssumeBacklog: true})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Offered: "0 7", event.Committed: "2 12"})

	if _, _, err := Read(context.Background(), Config{}); err == nil {
		t.Error("no error without any log")
	}
	_, _, err := Read(context.Background(), Config{Peers: peers, Channels: []string{"ch7"}})
	if err == nil || !strings.Contains(err.Error(), "ch7") || !strings.Contains(err.Error(), "they hold ch1") {
		t.Errorf("unknown channel: %v", err)
	}
}

// A restart empties the buffer: the way to the commit is that of the second life.
func TestRestart(t *testing.T) {
	var p script
	add := func(ms, block, size int) { p.adding(ms, block).size(ms+1, size) }
	p.at(0, "Starting peer:\n Version: 1.4.12")
	add(10, 1, 1)
	add(20, 2, 2)
	add(30, 3, 3)
	p.received(40, 1).committed(45, 1).received(46, 2)
	p.at(900, "Starting peer:\n Version: 2.1.3")
	p.at(901, "Recommitting lost blocks - [1]")
	p.committed(905, 1)
	add(910, 2, 1)
	add(920, 3, 2)
	p.received(940, 2).committed(945, 2).received(946, 3).committed(950, 3)
	tr, report := read(t, Config{Peers: []Source{text("p.log", p.String())}})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{
		event.AtDoor:    "0 900 910",
		event.Enqueued:  "1 901 911",
		event.Dequeued:  "30 930 936",
		event.Committed: "35 935 940", // the repeated commit of block 1 does not count
	})
	if f := report.Files[0]; f.Starts != 2 || f.Recommits != 1 || f.Repeated != 1 {
		t.Errorf("report %+v", f)
	}
	warned(t, tr, traces.NoteFact, "started 2 times")
	set := tr.Streams[0].Settings
	if set[traces.SettingFabricVersion] != "2.1.3" || set[traces.SettingBuffer] != "100" {
		t.Errorf("settings %v", set)
	}
	warned(t, tr, traces.NoteFact, "100 is the default of Fabric 2.1.3")
}

// The buffer's size tells of a pop before the line of it, unless the buffer has holes.
func TestPops(t *testing.T) {
	var p script
	p.adding(10, 1).size(11, 1).adding(20, 2).size(21, 1).received(23, 1).committed(25, 1)
	p.adding(30, 4).size(31, 2) // 2 and 4: without a hole it would be 3 and 4
	p.received(40, 2).committed(45, 2).adding(46, 3).size(47, 2).received(48, 3).committed(50, 3).received(52, 4).committed(55, 4)
	tr, _ := read(t, Config{Peers: []Source{text("p.log", p.String())}})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{
		event.Enqueued: "1 11 37 21",
		event.Dequeued: "11 30 38 42",
	})
	warned(t, tr, traces.NoteFact, "the pop of 1 block is")
}

// Without the banner a second pop tells of a restart: the last before the commit
// counts.
func TestRestartWithoutBanner(t *testing.T) {
	var p script
	p.received(10, 1).committed(15, 1).received(20, 2).received(500, 2).committed(505, 2).received(510, 1)
	tr, _ := read(t, Config{Peers: []Source{text("p.log", p.String())}})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Dequeued: "0 490", event.Committed: "5 495"})
}

// Several orderers are one service: the earliest line counts, Writing before Wrote
// before Created.
func TestOrderers(t *testing.T) {
	var a, b, p script
	a.at(5, "Created block [1], there are 0 blocks in flight channel=ch1 node=1").writing(11, 1)
	a.at(15, "Created block [2], there are 0 blocks in flight channel=ch1 node=1").at(22, "[channel: ch1] Wrote block [2]")
	a.at(25, "Created block [3], there are 0 blocks in flight channel=ch1 node=1")
	b.writing(10, 1).at(14, "[channel: ch1] Wrote block [1]")
	p.committed(50, 1).committed(60, 2).committed(70, 3)
	tr, _ := read(t, Config{
		Orderers: []Source{text("orderer0.log", a.String()), text("orderer1.log", b.String())},
		Peers:    []Source{text("p.log", p.String())},
	})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Offered: "0 12 15"})
	warned(t, tr, traces.NoteFact, "Wrote block for 1 block,")
	warned(t, tr, traces.NoteWarning, "Created block for 1 block w")
	warned(t, tr, traces.NoteFact, "earliest line of 2 orderers: orderer0,orderer1")
}

func TestClockSkew(t *testing.T) {
	var o, p script
	for b := 1; b <= 3; b++ {
		o.writing(1000+10*b, b)
		p.received(1000+10*b-250+b, b).committed(1000+10*b-245+b, b)
	}
	c := Config{Orderers: []Source{text("o.log", o.String())}, Peers: []Source{text("p.log", p.String())}}
	tr, report := read(t, c)
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Offered: "0 10 20", event.Committed: "-244 -233 -222"})
	if k := report.Streams[0].Skew; k.Blocks != 3 || k.Smallest != -249*time.Millisecond || k.Block != 1 {
		t.Errorf("skew %+v", k)
	}
	warned(t, tr, traces.NoteWarning, "behind by at least that, and by less than 349ms")

	c.ClockOffset = 260 * time.Millisecond
	tr, _ = read(t, c)
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Offered: "0 10 20", event.Committed: "16 27 38"})
	warned(t, tr, traces.NoteWarning, "260ms were added")

	c.ClockOffset, c.FixClockSkew = 0, true
	tr, report = read(t, c)
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Dequeued: "0 11 22", event.Committed: "5 16 27"})
	if report.Streams[0].Shift != 249*time.Millisecond {
		t.Errorf("shift %v", report.Streams[0].Shift)
	}
	warned(t, tr, traces.NoteWarning, "249ms were added")

	// Nothing to correct: a peer's clock that is ahead cannot be told from a backlog.
	c.ClockOffset = time.Second
	if _, report = read(t, c); report.Streams[0].Shift != time.Second {
		t.Errorf("shift %v", report.Streams[0].Shift)
	}
}

func TestZones(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	o := new(script).writing(10, 1).String()
	p := strings.ReplaceAll(new(script).received(15, 1).committed(20, 1).String(), " 09:00:00", " 10:00:00")
	for name, c := range map[string]struct {
		zone string
		loc  *time.Location
		note string
		off  int64
	}{
		"none, in a location":  {"", berlin, "timestamps carry no zone and were taken as CET", 10},
		"none":                 {"", nil, "different time zones", 3600010},
		"name of the location": {" CET", berlin, "", 10},
		"unknown name":         {" CET", nil, "time zone CET is not known here", 3600010},
		"offset":               {" +0100", nil, "", 10},
	} {
		tr, _ := read(t, Config{
			Location: c.loc,
			Orderers: []Source{text("o.log", o)},
			Peers:    []Source{text("p.log", strings.ReplaceAll(p, " UTC", c.zone))},
		})
		if got := tr.Timelines[0].Value(event.Committed, 0) / 1e6; got != c.off {
			t.Errorf("%s: committed %d ms after the offer, want %d", name, got, c.off)
		}
		if all := noted(tr, traces.NoteFact) + noted(tr, traces.NoteWarning); !strings.Contains(all, c.note) {
			t.Errorf("%s: no note says %q:\n%s", name, c.note, all)
		}
	}
}

// The orderer tells of every Deliver stream; the peer's must be found among them.
func TestSent(t *testing.T) {
	deliver := func(s *script, ms, block int, to string) {
		s.at(ms, "[channel: ch1] Delivering block [%d] for (0x%s) for 10.0.0.1:%s", block, to, to)
	}
	logs := func(rival func(*script, int)) Config {
		var o, p script
		p.at(1000, "Pulling next blocks from ordering service channel=ch1 orderer-address=o:7050 nextBlock=1")
		for b := 1; b <= 4; b++ {
			o.writing(1000+100*b, b)
			rival(&o, b)
			deliver(&o, 1040+100*b, b, "50")
			p.received(1050+100*b, b).committed(1060+100*b, b)
		}
		return Config{Orderers: []Source{text("o.log", o.String())}, Peers: []Source{text("p.log", p.String())}}
	}
	for name, c := range map[string]struct {
		rival func(*script, int)
		want  string
	}{
		"alone":                   {func(*script, int) {}, "40 140 240 340"},
		"a prompt capture":        {func(s *script, b int) { deliver(s, 1001+100*b, b, "51") }, "40 140 240 340"},
		"a late capture":          {func(s *script, b int) { deliver(s, 9000+b, b, "51") }, "40 140 240 340"},
		"one from another block":  {func(s *script, b int) { deliver(s, 1041+100*b, b-1, "51") }, "40 140 240 340"},
		"one that cannot be told": {func(s *script, b int) { deliver(s, 1039+100*b, b, "51") }, "- - - -"},
	} {
		tr, _ := read(t, logs(c.rival))
		if got := millis(tr.Timelines[0], event.Sent); got != c.want {
			t.Errorf("%s: sent %s, want %s\n%s", name, got, c.want, noted(tr, traces.NoteFact))
		}
	}
	tr, _ := read(t, logs(func(s *script, b int) { deliver(s, 1039+100*b, b, "51") }))
	warned(t, tr, traces.NoteFact, "left open")
}

// Whole seconds lose no block, and the trace says what they hide.
func TestSecondsOnly(t *testing.T) {
	cut := func(s string) string {
		return eachEntry(s, func(e entry) string {
			return fmt.Sprintf("%s [%s] %s", e.time("2006-01-02 15:04:05 MST"), e.module, e.message)
		})
	}
	tr, _ := read(t, Config{
		Orderers: []Source{text("o.log", cut(sample(t, "orderer.log")))},
		Peers:    []Source{text("p.log", cut(sample(t, "peer.log")))},
	})
	tl := tr.Timelines[0]
	if tl.Observed(event.Offered) != 60 || tl.Observed(event.Committed) != 50 || tl.Value(event.Committed, 49) != 1e9 {
		t.Errorf("%d offers, %d commits, the last at %d", tl.Observed(event.Offered), tl.Observed(event.Committed), tl.Value(event.Committed, 49))
	}
	if tl.Settings[traces.SettingResolution] != "1000000000" {
		t.Errorf("settings %v", tl.Settings)
	}
	warned(t, tr, traces.NoteWarning, "resolution of 1 s")
}

func TestChannels(t *testing.T) {
	var o, p script
	for _, c := range []string{"ch2", "ch1", "syschannel"} {
		o.at(10, "Writing block [1] (Raft index: 7) to ledger channel=%s node=1", c)
	}
	p.committed(15, 1)
	p.at(17, "[ch2] Committed block [1] with 3 transaction(s) in 6ms (state_validation=0ms block_and_pvtdata_commit=4ms state_commit=1ms)")
	c := Config{Orderers: []Source{text("o.log", o.String())}, Peers: []Source{text("p.log", p.String()), text("q.log", p.String())}}
	names := func() string {
		tr, _ := read(t, c)
		var out []string
		for _, s := range tr.Streams {
			out = append(out, s.Name())
		}
		if len(c.Channels) == 0 {
			warned(t, tr, traces.NoteFact, "channel syschannel is in the orderer's log and in no peer's")
		}
		return strings.Join(out, " ")
	}
	if got := names(); got != "ch1@p ch1@q ch2@p ch2@q" {
		t.Errorf("streams %s", got)
	}
	c.Channels = []string{"ch2"}
	if got := names(); got != "ch2@p ch2@q" {
		t.Errorf("streams %s", got)
	}
}

// The last line of a copied log has no newline: a channel's name may be cut there.
func TestLastLine(t *testing.T) {
	p := new(script).received(10, 1).committed(15, 1).received(20, 2)
	for cut, torn := range map[int]int64{0: 0, 1: 0, 2: 1, 3: 1, 9: 1} {
		log := p.String()
		_, report := read(t, Config{Peers: []Source{text("p.log", log[:len(log)-cut])}})
		if got := report.Files[0].Torn; got != torn {
			t.Errorf("cut by %d: %d torn, want %d", cut, got, torn)
		}
	}
}

// A log given twice is told of.
func TestTwice(t *testing.T) {
	p := new(script).committed(15, 1).committed(16, 2).String()
	tr, _ := read(t, Config{Peers: []Source{text("p.log", p), text("p.log.1", p)}})
	expect(t, tr.Timelines[0], 1, map[event.Kind]string{event.Committed: "0 1"})
	warned(t, tr, traces.NoteWarning, "2 of 2 messages tell of a block once more")
}
