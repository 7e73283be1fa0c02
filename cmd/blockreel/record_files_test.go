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

// TestKilled kills a recorder: its trace has every block that was written, times and payload.
func TestKilled(t *testing.T) {
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
		file, _ := os.ReadFile("run.reel")
		report, _ := traces.Verify(bytes.NewReader(file))
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
	file, err := os.ReadFile("run.reel")
	if err != nil {
		t.Fatal(err)
	}
	report, err := traces.Verify(bytes.NewReader(file))
	if report == nil || report.Loss == nil || report.Payloads != want || len(report.Findings) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if info, err := os.Stat("run.reel"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("payloads are for everybody: %v", err)
	}
	var out, stderr bytes.Buffer
	if run(context.Background(), []string{"info", "run.reel"}, strings.NewReader(""), &out, &stderr); !strings.Contains(stderr.String(), "the end of the trace is missing") {
		t.Errorf("the kill is not told: %s", stderr.String())
	}
	// Another recording does not take the place of what is left.
	if code, talk := recordFabricCommand(t.Context(), c.Args[3:]...); code != 2 || !strings.Contains(talk, "run.reel: it is a trace with payloads; --force replaces it") {
		t.Errorf("exit code %d: %s", code, talk)
	}
	if left, err := os.ReadFile("run.reel"); err != nil || !bytes.Equal(left, file) {
		t.Errorf("what was left is changed: %v", err)
	}
}
