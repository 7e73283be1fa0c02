package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/traces"
)

// storedBlocks is the ledger of a node that has come to rest.
type storedBlocks [][]byte

func (s storedBlocks) Oldest() uint64 { return 0 }
func (s storedBlocks) Height() uint64 { return uint64(len(s)) }
func (s storedBlocks) Block(ctx context.Context, n uint64) ([]byte, error) {
	if n < uint64(len(s)) {
		return s[n], nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// fabricNode serves the sample of real blocks as ch1, as an orderer and as a peer, and
// writes the MSP directory and TLS CA of its organization to dir. opened tells of every
// request that it grants.
func fabricNode(t *testing.T, dir string, request pki.Request) (address string, opened chan struct{}) {
	t.Helper()
	return fabricNodeFor(t, dir, request, false)
}

// fabricNodeFor is fabricNode, and demands TLS certificates of its clients if mutual; dir
// holds one, client.crt and client.key.
func fabricNodeFor(t *testing.T, dir string, request pki.Request, mutual bool) (address string, opened chan struct{}) {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	check(err)
	user, err := org.Member("user", "client")
	check(err)
	check(org.WriteMSP(filepath.Join(dir, "msp"), user))
	check(os.WriteFile(filepath.Join(dir, "ca.pem"), org.TLSCA.PEM(), 0o600))
	keys, err := org.TLSCA.Issue(request)
	check(err)
	client, err := org.ClientTLS("client")
	check(err)
	check(org.WriteTLS(dir, "client", client))
	var clients *x509.CertPool
	if mutual {
		clients = org.TLSCA.Pool()
	}
	config, err := pki.ServerConfig(keys, clients)
	check(err)
	opened = make(chan struct{}, 64)
	node := &deliver.Server{Trust: pki.Trust(org), Ledgers: func(channel string) (deliver.Ledger, bool) {
		return storedBlocks(blocktest.Sample(t)), channel == "ch1"
	}, Hooks: deliver.Hooks{Opened: func(*deliver.Request) { opened <- struct{}{} }}}
	server := grpc.NewServer(deliver.ServerOptions(config)...)
	node.RegisterOrderer(server)
	node.RegisterPeer(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String(), opened
}

func recordFabricCommand(ctx context.Context, args ...string) (code int, stderr string) {
	var out, talk bytes.Buffer
	code = run(ctx, append([]string{"record", "fabric"}, args...), strings.NewReader(""), &out, &talk)
	return code, talk.String()
}

// TestRecordFabric records a node over TLS, with Fabric's variables as the defaults.
func TestRecordFabric(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	address, _ := fabricNode(t, dir, pki.Request{CommonName: "node", Hosts: []string{"node.example.com"}})
	t.Setenv("CORE_PEER_ADDRESS", address)
	t.Setenv("CORE_PEER_LOCALMSPID", "Org1MSP")
	t.Setenv("CORE_PEER_MSPCONFIGPATH", "msp")
	t.Setenv("CORE_PEER_TLS_ENABLED", "true")
	t.Setenv("CORE_PEER_TLS_ROOTCERT_FILE", "ca.pem")
	t.Setenv("CORE_PEER_TLS_SERVERHOSTOVERRIDE", "node.example.com")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"--orderer", address, "--ordererTLSHostnameOverride", "node.example.com", "-C", "ch1", "-o", "run.reel"}

	code, talk := recordFabricCommand(ctx, append(args, "--from", "oldest", "--until-caught-up", "--payload", "full")...)
	if code != 0 || !strings.Contains(talk, "wrote run.reel") {
		t.Fatalf("exit code %d: %s", code, talk)
	}
	file, err := os.ReadFile("run.reel")
	if err != nil {
		t.Fatal(err)
	}
	report, err := traces.Verify(bytes.NewReader(file))
	if want := len(blocktest.Sample(t)); err != nil || report.Loss != nil || report.Payloads != want {
		t.Errorf("the trace: %+v, %v; want %d payloads", report, err, want)
	}
	if info, err := os.Stat("run.reel"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("payloads are for everybody: %v, %v", info.Mode(), err)
	}

	// It can go to stdout.
	var stdout, stderr bytes.Buffer
	piped := append([]string{"record", "fabric", "--from", "oldest", "--until-caught-up"}, args[:len(args)-1]...)
	if code := run(ctx, append(piped, "-", "--payload", "full"), strings.NewReader(""), &stdout, &stderr); code != 0 || strings.Contains(stderr.String(), "wrote") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
	if report, err := traces.Verify(&stdout); err != nil || report.Loss != nil || report.Payloads != len(blocktest.Sample(t)) {
		t.Errorf("on stdout: %+v, %v", report, err)
	}

	// An interrupt, once both subscriptions stand: two requests for heights come before.
	other, opened := fabricNode(t, filepath.Join(dir, "other"), pki.Request{CommonName: "node", Hosts: []string{"node.example.com"}})
	t.Setenv("CORE_PEER_ADDRESS", other)
	t.Setenv("CORE_PEER_MSPCONFIGPATH", "other/msp")
	t.Setenv("CORE_PEER_TLS_ROOTCERT_FILE", "other/ca.pem")
	args[1] = other
	interrupted, interrupt := context.WithCancel(ctx)
	defer interrupt()
	go func() {
		for range 4 {
			<-opened
		}
		interrupt()
	}()
	if code, talk := recordFabricCommand(interrupted, append(args, "--force")...); code != 0 {
		t.Fatalf("exit code %d: %s", code, talk)
	}
	if tr, err := traces.ReadFile("run.reel"); err != nil || tr.Loss != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}

// TestRecordFabricRefusals name the cause and the flag, and leave no file.
func TestRecordFabricRefusals(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	good := pki.Request{CommonName: "node", Hosts: []string{"127.0.0.1"}}
	address, _ := fabricNode(t, dir, good)
	named, _ := fabricNode(t, filepath.Join(dir, "named"), pki.Request{CommonName: "node", Hosts: []string{"node.example.com"}})
	expired := good
	expired.NotAfter = time.Now().Add(-time.Hour)
	old, _ := fabricNode(t, filepath.Join(dir, "old"), expired)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"wrong CA":       {[]string{"--cafile", "named/ca.pem"}, "with --cafile"},
		"wrong peer CA":  {[]string{"--cafile", "ca.pem", "--tlsRootCertFiles", "named/ca.pem"}, "with --tlsRootCertFiles"},
		"host name":      {[]string{"--orderer", named, "--cafile", "named/ca.pem"}, "with --ordererTLSHostnameOverride"},
		"expired":        {[]string{"--orderer", old, "--cafile", "old/ca.pem"}, "new TLS certificate"},
		"wrong identity": {[]string{"--cafile", "ca.pem", "--tlsRootCertFiles", "ca.pem", "--msp", "named/msp"}, "FORBIDDEN.*--msp"},
		"no channel":     {[]string{"--cafile", "ca.pem", "--tlsRootCertFiles", "ca.pem", "-C", "ch9"}, "NOT_FOUND.*--wait"},
		"plain":          {[]string{"--tls=false"}, "check the address and --tls"},
		"plain node":     {[]string{"--orderer", "grpc://" + address}, "check the address and --tls"},
		"too early":      {[]string{"--cafile", "ca.pem", "--tlsRootCertFiles", "ca.pem", "--from", "99999999"}, "block 99999999 is not there yet: the height is.*--wait"},
		"never there":    {[]string{"--cafile", "ca.pem", "--tlsRootCertFiles", "ca.pem", "-C", "ch9", "--wait", "--duration", "50ms"}, "nothing was recorded: it was to end after 50ms.*NOT_FOUND"},
		"no directory":   {[]string{"--orderer", "127.0.0.1:1", "-o", "nowhere/run.reel"}, "open nowhere/run.reel: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"--orderer", address, "--peer", "peer0=" + address, "--tls", "--mspid", "Org1MSP", "--msp", "msp", "-o", "run.reel"}
			if name != "no channel" && name != "never there" {
				args = append(args, "-C", "ch1")
			}
			code, talk := recordFabricCommand(ctx, append(args, c.args...)...)
			cause, flag, both := strings.Cut(c.want, ".*")
			if code != 1 || !strings.Contains(talk, cause) || both && !strings.Contains(talk, flag) || strings.Contains(talk, "wrote") {
				t.Errorf("exit code %d: %s", code, talk)
			}
			if _, err := os.Stat("run.reel"); !os.IsNotExist(err) {
				t.Errorf("a file is left: %v", err)
			}
		})
	}
	// An identity whose time is over: the node does not say why it refuses it.
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := org.CA.Issue(pki.Request{CommonName: "user", NotAfter: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.New("Org1MSP", keys.CertPEM, keys.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := org.WriteMSP("expired", &pki.Member{Identity: id, Keys: keys}); err != nil {
		t.Fatal(err)
	}
	code, talk := recordFabricCommand(ctx, "--orderer", address, "--peer", address, "--tls", "--cafile", "ca.pem", "--tlsRootCertFiles", "ca.pem",
		"--mspid", "Org1MSP", "--msp", "expired", "-C", "ch1", "-o", "run.reel")
	if code != 1 || !strings.Contains(talk, "the identity's certificate has expired on") || !strings.Contains(talk, "FORBIDDEN") {
		t.Errorf("exit code %d: %s", code, talk)
	}
}

// TestRecordFabricKeeps: what stood in the trace's place stays when there is nothing to
// record, and what was recorded stays when a node refuses later.
func TestRecordFabricKeeps(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	address, _ := fabricNode(t, dir, pki.Request{CommonName: "node", Hosts: []string{"127.0.0.1"}})
	if err := os.WriteFile("run.reel", []byte("what was before"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"--orderer", address, "--peer", "peer0=grpcs://" + address, "--cafile", "ca.pem", "--tlsRootCertFiles", "ca.pem",
		"--mspid", "Org1MSP", "--msp", "msp", "-C", "ch1", "--payload", "full", "--from", "oldest", "--until-caught-up", "-o", "run.reel"}
	if code, talk := recordFabricCommand(ctx, args...); code != 1 || strings.Contains(talk, "wrote") {
		t.Errorf("exit code %d: %s", code, talk)
	}
	if left, err := os.ReadFile("run.reel"); err != nil || string(left) != "what was before" {
		t.Errorf("%q is left, %v", left, err)
	}
	interrupted, interrupt := context.WithCancel(ctx)
	interrupt()
	if code, talk := recordFabricCommand(interrupted, append(args, "--wait")...); code != 1 || !strings.Contains(talk, "nothing was recorded: it was interrupted") ||
		strings.Contains(talk, "--wait") {
		t.Errorf("exit code %d: %s", code, talk)
	}
	// With its scheme the orderer is believed to use TLS, as the peer is.
	args[1] = "grpcs://" + address
	code, talk := recordFabricCommand(ctx, args...)
	if code != 0 || !strings.HasSuffix(talk, "wrote run.reel\n") {
		t.Errorf("exit code %d: %s", code, talk)
	}
	if tr, err := traces.ReadFile("run.reel"); err != nil || tr.Streams[0].Orderer != address {
		t.Errorf("%v", err)
	}
}

// TestRecordFabricSwapped gives an orderer in the peer's place.
func TestRecordFabricSwapped(t *testing.T) {
	b := fabrictest.NewOrg(t)
	ledger := fabrictest.NewLedger(0, b.Chain(t, "ch1", 1, 0)...)
	node := fabrictest.Node{TLS: b.ServerTLS(t, false, pki.Request{})}
	node.Server = &deliver.Server{Trust: pki.Trust(b.Org), Ledgers: func(string) (deliver.Ledger, bool) { return ledger, true }}
	node.Register = node.Server.RegisterOrderer
	node.Start(t)
	dir := t.TempDir()
	t.Chdir(dir)
	if err := b.WriteMSP("msp", b.User); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("ca.pem", b.TLSCA.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	code, talk := recordFabricCommand(t.Context(), "--orderer", node.Address, "--peer", node.Address, "--tls", "--cafile", "ca.pem",
		"--mspid", b.MSPID, "--msp", "msp", "-C", "ch1", "-o", "run.reel")
	if code != 1 || !strings.Contains(talk, "this node is no peer") || !strings.Contains(talk, "in the other's place?") || strings.Contains(talk, "rpc error") {
		t.Errorf("exit code %d: %s", code, talk)
	}
}
