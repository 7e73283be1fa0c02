package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// tracedSample writes a trace of the sample's blocks, ten a second.
func tracedSample(t *testing.T, blocks [][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "full.reel")
	err := outfile.WritePrivate(path, func(out io.Writer) error {
		w, err := traces.NewWriter(out, traces.Header{Streams: []traces.Stream{{Channel: "ch1", Peer: "peer0"}}}, traces.WriterConfig{})
		if err != nil {
			return err
		}
		for i, raw := range blocks {
			n := event.BlockNum(i)
			if err := w.Append(event.Event{Kind: event.Offered, Block: n, Value: int64(i) * 1e8}); err != nil {
				return err
			}
			if err := w.Payload("ch1", n, raw); err != nil {
				return err
			}
		}
		return w.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The command says where it serves, serves over mutual TLS what the trace holds, tells of
// its readers, and an interrupt ends it in order.
func TestServeCommand(t *testing.T) {
	blocks := blocktest.Sample(t)
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		t.Fatal(err)
	}
	user, err := org.Member("user", "client")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := org.ServerTLS("server", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := org.WriteTLS(dir, "server", keys); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	path := tracedSample(t, blocks)
	in, out := io.Pipe()
	var stderr bytes.Buffer
	done := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"serve", path, "--hold", "--speed", "10", "--listen", "127.0.0.1:0", "--dir", dir,
			"--tls-cert", filepath.Join(dir, "server.crt"), "--tls-key", filepath.Join(dir, "server.key"), "--client-ca", filepath.Join(dir, "ca.crt")},
			strings.NewReader(""), out, &stderr)
		out.Close()
		done <- code
	}()
	ready, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		t.Fatalf("%v; exit code %d: %s", err, <-done, &stderr)
	}
	m := regexp.MustCompile(`^serving at (127\.0\.0\.1:\d+) with mutual TLS, ch1 blocks 0 to 13, waiting for the first reader\n$`).FindStringSubmatch(ready)
	if m == nil {
		t.Fatalf("the ready line is %q", ready)
	}
	cert, err := keys.TLS()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := deliver.Dial(ctx, deliver.Endpoint{Address: m[1], TLS: &tls.Config{RootCAs: org.TLSCA.Pool(), Certificates: []tls.Certificate{cert}}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := conn.Deliver(ctx, deliver.Orderer, user.Identity, deliver.Seek{Channel: "ch1"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for i, want := range blocks {
		d, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(d.Block.Raw, want) {
			t.Fatalf("block %d differs", i)
		}
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"Org1MSP at 127.0.0.1:", "reads ch1 from block 0 on", "has left ch1", "ch1: offered 14 of 14 blocks, sent 14"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr does not say %q:\n%s", want, &stderr)
		}
	}
}
