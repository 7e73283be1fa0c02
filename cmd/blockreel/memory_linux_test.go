package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// What a command keeps of a trace in the process's memory does not grow with its length. On
// the heap the replay of these blocks would take 650 MB.
func TestMemoryOfLongTraces(t *testing.T) {
	if testing.Short() {
		t.Skip("replays 1,500,000 blocks")
	}
	const limit = 512 << 20
	dir := t.TempDir()
	long := filepath.Join(dir, "long.reel")
	if err := traces.WriteFile(long, longTrace(1_500_000)); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "blockreel") // under this name the test's binary is the program
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"stats", long},
		{"replay", long, "--buffer", "20,200"},
		{"sweep", long, "--buffer", "20,200"},
	} {
		c := exec.Command(program, args...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		most := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
		t.Logf("%s: at most %d MB in memory", args[0], most>>20)
		if most > limit {
			t.Errorf("%v: %d bytes in memory, more than %d", args, most, limit)
		}
	}
}

// longTrace is of a peer that takes n blocks as fast as they are offered, and has every column of a
// run that was measured to the end.
func longTrace(n int) *traces.Trace {
	stream := traces.Stream{Channel: "ch1", Orderer: "orderer", Peer: "peer0", Settings: traces.Settings{
		traces.SettingPreset: "fabric-2.x", traces.SettingBuffer: "20", traces.SettingLedger: "memory",
	}}
	tl := traces.NewTimeline(stream, 1, n)
	at := func(k event.Kind) []int64 { return tl.MakeColumn(k) }
	const us = 1000
	for i := range n {
		now := int64(i) * 1000 * us
		for _, step := range []struct {
			kind event.Kind
			took int64
		}{
			{event.Offered, 0}, {event.Sent, 10 * us}, {event.Received, 100 * us}, {event.AtDoor, 150 * us},
			{event.Enqueued, 0}, {event.Dequeued, 300 * us}, {event.Validated, 400 * us}, {event.Committed, int64(200+i%97) * us},
		} {
			now += step.took
			at(step.kind)[i] = now
		}
		at(event.Transactions)[i], at(event.Bytes)[i], at(event.Writes)[i] = int64(i%50), 33_000, int64(i%100)
		at(event.BlockStore)[i], at(event.StateCommit)[i], at(event.HistoryCommit)[i] = 80*us, 50*us, 10*us
	}
	return &traces.Trace{Header: traces.Header{Tool: tool, Source: "run", Streams: []traces.Stream{stream}}, Timelines: []*traces.Timeline{tl}}
}
