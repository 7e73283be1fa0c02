package couchtest

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// installed names the folder that make couchdb has installed pouchdb-server in.
const installed = "BLOCKREEL_COUCHDB"

// StartPouchDB starts pouchdb-server, in memory and on loopback, and gives its address. It
// skips the test where that is not installed.
func StartPouchDB(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(installed)
	if dir == "" {
		t.Skip(installed + " names no folder with pouchdb-server; make couchdb does it all")
	}
	script := filepath.Join(dir, "node_modules", "pouchdb-server", "bin", "pouchdb-server")
	if _, err := os.Stat(script); err != nil {
		t.Fatalf("%s: %v; run make couchdb", installed, err)
	}
	port := freePort(t)
	cmd := exec.Command("node", script, "--in-memory", "--no-stdout-logs", "--host", "127.0.0.1", "--port", strconv.Itoa(port))
	cmd.Dir = t.TempDir() // for its log and configuration
	log, err := os.Create(filepath.Join(cmd.Dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	said := func() []byte {
		text, _ := os.ReadFile(log.Name()) // the best that can be shown
		return text
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("pouchdb-server: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // or it has ended by itself
		<-ended
	})
	address := "http://127.0.0.1:" + strconv.Itoa(port)
	deadline := time.After(time.Minute)
	for {
		resp, err := http.Get(address)
		if err == nil {
			resp.Body.Close()
			http.DefaultClient.CloseIdleConnections()
			return address
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("pouchdb-server ended: %v\n%s", err, said())
		case <-deadline:
			t.Fatalf("pouchdb-server does not answer at %s\n%s", address, said())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
