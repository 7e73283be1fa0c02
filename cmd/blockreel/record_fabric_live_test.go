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
	line, blocks := heightsLine(all, 30, 500*time.Millisecond)
	if want := "ch1@b: orderer 100, peer 60, gap 40, buffer 31 | 2 streams: 40 commits/s | 3.0 MB | dropped: 2 events, 1 samples, 7 payloads"; line != want || blocks != 50 {
		t.Errorf("%s; %d blocks", line, blocks)
	}
	all[0].OrdererLost, all[1].OrdererLost, all[1].PeerLost = 61*time.Second, 61*time.Second, 2*time.Second
	if line, _ := heightsLine(all, 50, time.Second); !strings.HasSuffix(line, " | lost: orderer of ch1 for 1m1s, ch1@b for 2s") || !strings.Contains(line, ": 0 commits/s") {
		t.Error(line)
	}
	line, _ = heightsLine(all[:1], 0, time.Second)
	if !strings.HasPrefix(line, "ch1@a: orderer 100, peer 90, gap 10 | 1 streams") {
		t.Error(line)
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
		if _, err := os.Stat("run.reel.payloads"); !os.IsNotExist(err) || !strings.Contains(talk, "wrote run.reel") {
			t.Errorf("%v; %s", err, talk)
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
