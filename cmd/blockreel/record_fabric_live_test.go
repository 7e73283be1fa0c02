package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/recorder/fabricnet"
	"github.com/blockreel/blockreel/traces"
)

func TestHeightsLine(t *testing.T) {
	all := []fabricnet.Status{
		{Name: "ch1@a", Channel: "ch1", Offered: 100, Committed: 90, Blocks: 40, Bytes: 3e6, Depth: -1, DroppedPayloads: 7, DroppedSamples: 1},
		{Name: "ch1@b", Channel: "ch1", Offered: 100, Committed: 60, Blocks: 10, Bytes: 3e6, Depth: 31, Dropped: 2, DroppedPayloads: 7, DroppedSamples: 1},
	}
	show := func(want string, before uint64, columns int, all ...fabricnet.Status) {
		t.Helper()
		if line := heightsLine(all, before, 500*time.Millisecond, columns); line != want {
			t.Errorf("%s\nwant %s", line, want)
		}
	}
	drops := "dropped 2 events | dropped 1 sample | dropped 7 payloads"
	show(drops+" | gap 40 | buffer 31 | ch1@b: orderer 100, peer 60 | 40 commits/s | 3.0 MB | 2 streams", 30, 0, all...)
	show(drops+" | gap 40 | buffer 31", 30, 80, all...)
	show("dropped 2 events", 30, 30, all...)
	show("dropped 2", 30, 10, all...)
	all[0].OrdererLost, all[1].OrdererLost, all[1].PeerLost = 61*time.Second, 61*time.Second, 2*time.Second
	show("LOST orderer of ch1 for 1m1s | LOST ch1@b for 2s | "+drops+" | gap unknown", 50, 130, all...)
	quiet := fabricnet.Status{Name: "ch1@a", Channel: "ch1", Offered: 100, Committed: 90, Depth: -1, Past: 1}
	away := fabricnet.Status{Name: "ch2@a", Channel: "ch2", Waiting: true, Depth: -1}
	show("waiting for ch2 | gap 10 | ch1@a: orderer 100, peer 90 | 0 commits/s | 1 older block to read | 0 B | 2 streams", 0, 0, quiet, away)
	show("waiting for ch2 | gap unknown | 0 commits/s | 0 B | 1 stream", 0, 0, away)
}

// TestHeightsTalk: what is told stands above the line of heights, which stays the last.
func TestHeightsTalk(t *testing.T) {
	var out bytes.Buffer
	talk := &heightsTalk{w: &out}
	talk.printf("%s\n", "lost at 100 %")
	talk.set("gap 1")
	talk.printf("%s\n", "back")
	talk.set("")
	talk.printf("end\n")
	if want := "lost at 100 %\n\r\033[Kgap 1\r\033[Kback\ngap 1\r\033[Kend\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestRecordFabricEnds ends recordings by --duration, and by a real Ctrl-C: in order, with
// a whole trace.
func TestRecordFabricEnds(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	address, opened := fabricNode(t, dir, pki.Request{CommonName: "node", Hosts: []string{"127.0.0.1"}})
	args := []string{"--orderer", address, "--peer", "peer0=" + address, "-C", "ch1", "--tls", "--cafile", "ca.pem",
		"--tlsRootCertFiles", "ca.pem", "--msp", "msp", "--mspid", "Org1MSP", "--payload", "full", "-o", "run.reel"}
	whole := func(talk string) {
		t.Helper()
		tr, err := traces.ReadFile("run.reel")
		if err != nil || tr.Loss != nil || tr.Sampled(traces.SeriesObserving, "peer0", "ch1") == nil {
			t.Errorf("the trace: %v, %+v", err, tr)
		}
		if !strings.Contains(talk, "wrote run.reel") {
			t.Error(talk)
		}
		os.Remove("run.reel")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code, talk := recordFabricCommand(ctx, append(args, "--duration", "50ms")...)
	if code != 0 || ctx.Err() != nil {
		t.Fatalf("exit code %d: %s", code, talk)
	}
	whole(talk)
	for len(opened) > 0 {
		<-opened
	}

	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	c := exec.CommandContext(ctx, program)
	c.Args, c.Stderr = append([]string{"blockreel", "record", "fabric"}, args...), &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for range 4 { // two heights, two subscriptions
		<-opened
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	whole(stderr.String())
}
