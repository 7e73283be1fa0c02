package interop_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/replay/network"
)

// ready is what "blockreel run --json" says when all is there.
type ready struct {
	Orderer  readyNode
	Peers    []readyNode
	Channels []string
	Profile  string `json:"connection_profile"`
}

type readyNode struct {
	Name, Host, MSPID, Address string
	MSPDir                     string `json:"msp_dir"`
	TLSDir                     string `json:"tls_dir"`
}

// TestProgram has the clients read from "blockreel run" with what its ready line says: an
// orderer's client with the directories, the gateway with the connection profile.
func TestProgram(t *testing.T) {
	packages(t)
	t.Parallel()
	const last = 10
	r := run(t, "--orgs", "2", "--blocks", strconv.Itoa(last), "--tx-per-block", "2", "--block-bytes", "8kB", "--ledger", "memory",
		"--listen", "127.0.0.1:0", "--metrics", "", "--mutual-tls", "--dir", t.TempDir())
	channel := r.Channels[0]
	orderer, peer := network.Node(r.Orderer), network.Node(r.Peers[0])
	s := reach(t, peer, true)
	s.Channel, s.Start, s.Last, s.Profile, s.Reader = channel, 0, last, r.Profile, "gateway"
	full, filtered := s, s
	full.Service, filtered.Service = "full", "filtered"
	s = reach(t, orderer, true)
	s.Channel, s.Start, s.Last, s.Reader, s.Service = channel, 0, last, "committer", "orderer"
	committed := fetch(t, peer, deliver.Peer, channel, last)
	expect(t, []expected{
		{subscription: full, name: "gateway/full", blocks: committed},
		{subscription: filtered, name: "gateway/filtered", blocks: committed},
		{subscription: s, name: "committer/orderer", blocks: fetch(t, orderer, deliver.Orderer, channel, last)},
	}, nil)
}

// run builds blockreel and starts its run command, which an interrupt ends when the test
// does.
func run(t *testing.T, args ...string) (r ready) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "blockreel")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../../cmd/blockreel").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(program, append([]string{"run", "--json"}, args...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("blockreel run: %v", err)
		}
	})
	if err := json.NewDecoder(stdout).Decode(&r); err != nil {
		t.Fatalf("the ready line: %v", err)
	}
	return r
}

// fetch describes a channel's blocks up to the last one, as our own client reads them.
func fetch(t *testing.T, n network.Node, service deliver.Service, channel string, last uint64) (all []Block) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	signer, err := identity.LoadMSP(n.MSPDir, n.MSPID)
	must(err)
	file := func(name string) string { return filepath.Join(n.TLSDir, name) }
	ends, err := deliver.LoadTLS(file("ca.crt"), file("client.crt"), file("client.key"), "")
	must(err)
	conn, err := deliver.Dial(t.Context(), deliver.Endpoint{Address: n.Address, TLS: ends})
	must(err)
	defer conn.Close()
	stream, err := conn.Deliver(t.Context(), service, signer, deliver.Seek{Channel: channel, Start: deliver.Oldest, Stop: deliver.At(last)})
	must(err)
	defer stream.Close()
	for range last + 1 {
		d, err := stream.Recv()
		must(err)
		all = append(all, describe(t, d.Block.Raw))
	}
	return all
}
