package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/traces"
)

// profileOf describes a node on loopback whose certificate is node.example.com's.
func profileOf(t *testing.T, address string) {
	t.Helper()
	node := map[string]any{
		"url":         "grpcs://" + address,
		"tlsCACerts":  map[string]any{"path": "ca.pem"},
		"grpcOptions": map[string]any{"ssl-target-name-override": "node.example.com"},
	}
	doc := map[string]any{
		"client":        map[string]any{"organization": "Org1"},
		"organizations": map[string]any{"Org1": map[string]any{"mspid": "Org1MSP", "peers": []string{"peer0"}}},
		"channels":      map[string]any{"ch1": map[string]any{"orderers": []string{"orderer0"}, "peers": map[string]any{"peer0": map[string]any{}}}},
		"orderers":      map[string]any{"orderer0": node},
		"peers":         map[string]any{"peer0": node},
	}
	text, err := json.MarshalIndent(doc, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("connection.json", text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRecordFabricProfile records with a connection profile, and mutual TLS.
func TestRecordFabricProfile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	address, _ := fabricNodeFor(t, dir, pki.Request{CommonName: "node", Hosts: []string{"node.example.com"}}, true)
	profileOf(t, address)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end := []string{"--from", "oldest", "--until-caught-up", "-o", "run.reel"}
	record := func(args ...string) (int, string) { return recordFabricCommand(ctx, slices.Concat(args, end)...) }
	all := []string{"--connection-profile", "connection.json", "--msp", "msp", "--clientauth", "--certfile", "client.crt", "--keyfile", "client.key"}

	code, talk := record(append(all, "--buffer-blocks", "20", "--fabric-version", "2.5.16", "--setting", "validator_pool_size=4")...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, talk)
	}
	tr, err := traces.ReadFile("run.reel")
	if err != nil {
		t.Fatal(err)
	}
	want := `[{ch1 orderer0 peer0 map[buffer_blocks:20 fabric_version:2.5.16 preset:fabric-2.x validator_pool_size:4]}]`
	if got := fmt.Sprint(tr.Streams); got != want {
		t.Errorf("streams %s, want %s", got, want)
	}
	if n := tr.Timelines[0].Len(); n != len(blocktest.Sample(t)) {
		t.Errorf("%d blocks", n)
	}
	os.Remove("run.reel")

	fabricNode(t, filepath.Join(dir, "other"), pki.Request{})
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no certificate": {all[:4], "--clientauth, --certfile and --keyfile"},
		"another CA":     {slices.Concat(all, []string{"--cafile", "other/ca.pem"}), "with --cafile, or in the connection profile with the node's tlsCACerts"},
		"clientauth":     {all[:5], "--clientauth needs --certfile"},
		"no channel":     {slices.Concat(all, []string{"-C", "ch9"}), "NOT_FOUND"},
		"no peer":        {slices.Concat(all, []string{"--peer", "peer7"}), `peer peer7: neither HOST:PORT nor a name of the connection profile`},
		"other host":     {slices.Concat(all, []string{"--ordererTLSHostnameOverride", "else.example.com"}), "with --ordererTLSHostnameOverride"},
		"no setting":     {slices.Concat(all, []string{"--setting", "x"}), "is not NAME=VALUE"},
		"no version":     {slices.Concat(all, []string{"--fabric-version", "new"}), "no version of Fabric"},
		"no buffer":      {slices.Concat(all, []string{"--buffer-blocks", "0"}), "at least 1"},
	} {
		if code, talk := record(c.args...); code == 0 || !strings.Contains(talk, c.want) {
			t.Errorf("%s: exit code %d: %s", name, code, talk)
		}
		if _, err := os.Stat("run.reel"); !os.IsNotExist(err) {
			t.Errorf("%s: a file is left: %v", name, err)
		}
	}

	// A flag stands for what the profile says.
	t.Run("by address", func(t *testing.T) {
		t.Setenv("CORE_PEER_TLS_ENABLED", "true")
		t.Setenv("CORE_PEER_TLS_ROOTCERT_FILE", "ca.pem")
		t.Setenv("CORE_PEER_TLS_CLIENTAUTHREQUIRED", "true")
		t.Setenv("CORE_PEER_TLS_CLIENTCERT_FILE", "client.crt")
		t.Setenv("CORE_PEER_TLS_CLIENTKEY_FILE", "client.key")
		code, talk := record("--connection-profile", "connection.json", "--msp", "msp",
			"--peer", "mine="+address, "--peerTLSHostnameOverride", "node.example.com")
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, talk)
		}
		if tr, err := traces.ReadFile("run.reel"); err != nil || tr.Streams[0].Peer != "mine" || tr.Streams[0].Orderer != "orderer0" {
			t.Errorf("%v", err)
		}
	})
}
