package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// TestMergeAfterKill kills a recorder and joins what it has left: every block that was
// in both files is there, times and payload.
func TestMergeAfterKill(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	address, _ := fabricNode(t, dir, pki.Request{CommonName: "node", Hosts: []string{"127.0.0.1"}})
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var talk bytes.Buffer
	c := exec.Command(program)
	c.Args = []string{"blockreel", "record", "fabric", "--orderer", address, "--peer", "peer0=" + address, "-C", "ch1", "--tls", "--cafile", "ca.pem",
		"--tlsRootCertFiles", "ca.pem", "--msp", "msp", "--mspid", "Org1MSP", "--from", "oldest", "--payload", "full", "-o", "run.reel"}
	c.Stderr = &talk
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	want := len(blocktest.Sample(t))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		tr, err := traces.ReadFile("run.reel")
		blocks, _ := os.ReadFile("run.reel.payloads")
		report, _ := traces.Verify(bytes.NewReader(blocks))
		if err == nil && len(tr.Timelines) == 1 && tr.Timelines[0].Observed(event.Bytes) == want && report.Payloads == want {
			break
		}
		if time.Now().After(deadline) {
			c.Process.Kill()
			c.Wait()
			t.Fatalf("never written: %v, %+v; %s", err, report, talk.String())
		}
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	// Another recording does not take the place of what is left.
	if code, talk := recordFabricCommand(t.Context(), c.Args[3:]...); code != 1 || !strings.Contains(talk, `join it with "blockreel merge run.reel run.reel.payloads -o FILE"`) {
		t.Errorf("exit code %d: %s", code, talk)
	}
	var out, stderr bytes.Buffer
	if run(context.Background(), []string{"stats", "run.reel"}, strings.NewReader(""), &out, &stderr); !strings.Contains(stderr.String(), "blockreel merge run.reel run.reel.payloads -o FILE joins them") {
		t.Errorf("nothing is said of the blocks: %s", stderr.String())
	}
	stderr.Reset()
	if code := run(context.Background(), []string{"merge", "run.reel", "run.reel.payloads", "-o", "whole.reel"}, strings.NewReader(""), &out, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if strings.Count(stderr.String(), "the end of the trace is missing") != 2 {
		t.Errorf("the kill is not told: %s", stderr.String())
	}
	file, err := os.ReadFile("whole.reel")
	if err != nil {
		t.Fatal(err)
	}
	report, err := traces.Verify(bytes.NewReader(file))
	if err != nil || report.Loss != nil || report.Payloads != want || len(report.Findings) > 0 {
		t.Errorf("joined: %+v, %v", report, err)
	}
	if info, err := os.Stat("whole.reel"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("payloads are for everybody: %v", err)
	}
}
