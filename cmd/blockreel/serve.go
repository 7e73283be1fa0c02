package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/replay/serve"
	"github.com/blockreel/blockreel/traces"
)

func newServe() *cobra.Command {
	var (
		listen      string
		cfg         serve.Config
		tls         serverTLS
		stalls      stallList
		disconnects disconnectList
		record      serveRecord
	)
	c := &cobra.Command{
		Use:   "serve FILE",
		Short: "Be an orderer that offers a trace's blocks at their recorded times",
		Long: `Serve offers the blocks of a trace over an orderer's Deliver service at the times at
which they were offered when they were recorded, so that an unmodified Fabric peer pulls a
recorded run with its timing. The trace must hold the blocks: see "blockreel attach".

The peer must have joined the channel, and comes for the blocks that it lacks. Those from
before the recording (attach keeps them) are there at once; those before the trace's first
payload are answered with NOT_FOUND, as is a peer that has more blocks than were offered so
far. Tell it where to pull from in its core.yaml, with the orderer's address as the
channel's configuration has it:

  peer:
    deliveryclient:
      addressOverrides:
        - {from: orderer.example.com:7050, to: 127.0.0.1:7050, caCertsFile: ca.crt}

With --hold the recorded time begins when a peer asks for the recording's first block; a
--peer (see below) is sent nothing before its commits can be seen.

--record writes a trace of what was offered and sent to each reader, and --peer adds when
it was committed, told by the peer's own event service: the recorded run as this peer
takes it, whatever its settings. Name the peer as the certificate is called that it signs
with (NAME=HOST:PORT) if its host is another one; a single --peer may be called anything.
The flags from --peer on are those of "blockreel record fabric". While it serves, each reader
is a trace of its own, FILE.stream1 and so on. A kill leaves these: they are traces, and
"blockreel merge FILE.stream1 FILE.stream2 -o FILE" joins them.

Anybody who signs the request may read; --client-ca demands a TLS certificate. Times of
--stall and --disconnect are times of the trace since its first block was offered (with
--unpaced: real time since the start); both flags may be repeated. Ctrl-C ends it, and
--until-caught-up once every --peer has committed everything.`,
		Example: `  blockreel serve full.reel
  blockreel serve full.reel --hold --listen 0.0.0.0:7050 --tls-cert server.crt --tls-key server.key
  blockreel serve full.reel --speed 2 --stall at=10s,for=5s --disconnect at=30s
  blockreel serve full.reel --hold --record n50.reel --peer peer0.org1.example.com:7051 --until-caught-up \
    --tls --tlsRootCertFiles org1-tls-ca.pem --mspid Org1MSP --msp users/User1@org1.example.com/msp --buffer-blocks 50`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "-" {
				return usagef(c, "the trace is read twice: name a file")
			}
			return usageArgs(cobra.ExactArgs(1))(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			cfg.Stalls, cfg.Disconnects = stalls, disconnects
			if c.Flags().Changed("speed") && !(cfg.Speed > 0) {
				return usagef(c, "--speed %v: how many seconds of the trace pass in a second", cfg.Speed)
			}
			if cfg.Unpaced && c.Flags().Changed("speed") {
				return usagef(c, "--speed and --unpaced exclude each other")
			}
			if err := tls.load(c, &cfg); err != nil {
				return err
			}
			if err := record.config(c, &cfg, args[0], tls.cert, tls.key, tls.clientCA); err != nil {
				return err
			}
			return serveTrace(c, args[0], listen, cfg)
		},
	}
	f := c.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:7050", "address to serve at; port 0 takes a free one")
	f.StringVar(&tls.cert, "tls-cert", "", "the server's TLS certificate, PEM")
	f.StringVar(&tls.key, "tls-key", "", "its key, PEM")
	f.StringVar(&tls.clientCA, "client-ca", "", "CA certificates, PEM, that readers' TLS certificates must come from")
	f.Float64Var(&cfg.Speed, "speed", 0, "seconds of the trace in a second (1 unless given)")
	f.BoolVar(&cfg.Unpaced, "unpaced", false, "offer all blocks at once")
	f.BoolVar(&cfg.Hold, "hold", false, "let the trace begin with the first reader")
	f.Var(&stalls, "stall", "send nothing from one time on for another, at=10s,for=5s")
	f.Var(&disconnects, "disconnect", "cut all streams, at=30s")
	record.bind(f)
	f.StringVar(&cfg.Dir, "dir", "", "directory for the uncompressed blocks while they are served (the system's temporary one unless given)")
	return c
}

// serverTLS are the files of a server's end of TLS.
type serverTLS struct{ cert, key, clientCA string }

func (t serverTLS) load(c *cobra.Command, cfg *serve.Config) error {
	if (t.cert == "") != (t.key == "") {
		return usagef(c, "--tls-cert and --tls-key belong together")
	}
	if t.cert == "" {
		if t.clientCA != "" {
			return usagef(c, "--client-ca needs --tls-cert and --tls-key")
		}
		return nil
	}
	var keys pki.KeyPair
	var err error
	if keys.CertPEM, err = os.ReadFile(t.cert); err != nil {
		return err
	}
	if keys.KeyPEM, err = os.ReadFile(t.key); err != nil {
		return err
	}
	var clients *x509.CertPool
	if t.clientCA != "" {
		roots, err := os.ReadFile(t.clientCA)
		if err != nil {
			return err
		}
		if clients = x509.NewCertPool(); !clients.AppendCertsFromPEM(roots) {
			return fmt.Errorf("%s holds no PEM certificate", t.clientCA)
		}
	}
	if cfg.TLS, err = pki.ServerConfig(keys, clients); err != nil {
		return fmt.Errorf("%s and %s: %w", t.cert, t.key, err)
	}
	return nil
}

// serveTrace serves the trace at path until the command's context ends.
func serveTrace(c *cobra.Command, path, listen string, cfg serve.Config) (err error) {
	stderr := c.ErrOrStderr()
	tr, err := loadTrace(c, path)
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	payloads, err := storedPayloads(in, tr)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	// First of all the port: no reading of a large file for nothing.
	listener, err := serve.Listen(listen, cfg.TLS != nil)
	if err != nil {
		return err
	}
	defer listener.Close()
	talk := &liveTalk{w: stderr, terminal: isTerminal(stderr)}
	cfg.Hooks = talk.readers()
	if cfg.Record != nil {
		talk.peers(cfg.Record)
	}
	s, err := serve.New(tr, withProgress(c, payloads), cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, w := range s.Warnings() {
		warn(stderr, "%s", w)
	}
	fmt.Fprintln(c.OutOrStdout(), ready(s, listener.Addr(), cfg))
	ctx, cancel := context.WithCancel(c.Context())
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		talk.heights(ctx, s)
	}()
	err = s.Serve(ctx, listener)
	cancel()
	<-shown
	for _, ch := range s.Status() {
		talk.printf("%s: offered %s of %s, sent %s\n", ch.Channel,
			analysis.FormatCount(int64(ch.Height-ch.First)), analysis.FormatBlocks(int64(ch.End-ch.First)), analysis.FormatCount(ch.Sent))
	}
	if cfg.Record != nil {
		saved := saveRecording(talk, s, cfg.Record.Path)
		if err != nil && errors.Is(saved, serve.ErrNobody) {
			saved = nil // of course
		}
		err = errors.Join(mendPeer(err), saved)
	}
	return err
}

// ready is the line that tells that readers can come.
func ready(s *serve.Server, addr net.Addr, cfg serve.Config) string {
	var line strings.Builder
	fmt.Fprintf(&line, "serving at %v", addr)
	switch {
	case cfg.TLS == nil:
		line.WriteString(" without TLS")
	case cfg.TLS.ClientCAs != nil:
		line.WriteString(" with mutual TLS")
	default:
		line.WriteString(" with TLS")
	}
	for _, ch := range s.Status() {
		fmt.Fprintf(&line, ", %s blocks %d to %d", ch.Channel, ch.First, ch.End-1)
		if ch.Recorded > ch.First {
			fmt.Fprintf(&line, " (up to %d from before the recording)", ch.Recorded-1)
		}
	}
	if cfg.Hold {
		line.WriteString(", waiting for the first reader")
	}
	return line.String()
}

// withProgress shows how many bytes of blocks have been taken out of the trace.
func withProgress(c *cobra.Command, payloads iter.Seq2[traces.Payload, error]) iter.Seq2[traces.Payload, error] {
	return func(yield func(traces.Payload, error) bool) {
		bar := progress(c.ErrOrStderr(), 0, "reading blocks", true)
		defer func() { _ = bar.Finish() }()
		for p, err := range payloads {
			if err == nil {
				err = c.Context().Err()
			}
			if !yield(p, err) {
				return
			}
			_ = bar.Add(len(p.Bytes))
		}
	}
}

// liveTalk writes lines of several goroutines, on a terminal above a line that stays.
type liveTalk struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
}

func (t *liveTalk) printf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.terminal {
		format = "\r\x1b[K" + format
	}
	fmt.Fprintf(t.w, format, args...)
}

// readers tells of readers that come and go.
func (t *liveTalk) readers() deliver.Hooks {
	name := func(r *deliver.Request) string {
		if r.Creator == nil {
			return r.Remote
		}
		return r.Creator.MSPID + " at " + r.Remote
	}
	return deliver.Hooks{
		Opened: func(r *deliver.Request) {
			t.printf("%s reads %s from block %d on\n", name(r), r.Seek.Channel, r.First)
		},
		Ended: func(r *deliver.Request, err error) {
			var refused *deliver.StatusError
			switch {
			case errors.As(err, &refused):
				t.printf("%s was refused: %v\n", name(r), err)
			case errors.Is(err, deliver.ErrDisconnect):
				t.printf("%s was cut off from %s\n", name(r), r.Seek.Channel)
			default:
				t.printf("%s has left %s\n", name(r), r.Seek.Channel)
			}
		},
	}
}

// heights keeps a line of heights and readers on a terminal until ctx ends.
func (t *liveTalk) heights(ctx context.Context, s *serve.Server) {
	if !t.terminal {
		return
	}
	tick := time.NewTicker(time.Second / 2)
	defer tick.Stop()
	for {
		var parts []string
		for _, ch := range s.Status() {
			parts = append(parts, fmt.Sprintf("%s height %s of %s, readers %d, sent %s", ch.Channel,
				analysis.FormatCount(int64(ch.Height)), analysis.FormatCount(int64(ch.End)), ch.Readers, analysis.FormatCount(ch.Sent)))
		}
		for _, st := range s.Recorded() {
			if st.Followed {
				parts = append(parts, fmt.Sprintf("%s@%s at %s", st.Channel, st.Peer, analysis.FormatCount(int64(st.Height))))
			}
		}
		t.printf("%s", strings.Join(parts, "; "))
		select {
		case <-ctx.Done():
			t.printf("")
			return
		case <-tick.C:
		}
	}
}

// stallList is a repeatable flag of stalls.
type stallList []serve.Stall

func (l *stallList) Type() string   { return "at=TIME,for=TIME" }
func (l *stallList) String() string { return "" }

func (l *stallList) Set(text string) error {
	v, err := parseTimes(text, "at", "for")
	if err == nil {
		*l = append(*l, serve.Stall{At: v["at"], For: v["for"]})
	}
	return err
}

// disconnectList is a repeatable flag of times.
type disconnectList []time.Duration

func (l *disconnectList) Type() string   { return "at=TIME" }
func (l *disconnectList) String() string { return "" }

func (l *disconnectList) Set(text string) error {
	v, err := parseTimes(text, "at")
	if err == nil {
		*l = append(*l, v["at"])
	}
	return err
}

// parseTimes reads name=duration pairs, each name once.
func parseTimes(text string, names ...string) (map[string]time.Duration, error) {
	form := strings.Join(names, "=10s,") + "=10s"
	times := map[string]time.Duration{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		d, err := time.ParseDuration(value)
		if _, twice := times[name]; err != nil || twice {
			return nil, fmt.Errorf("%q is not of the form %s", text, form)
		}
		times[name] = d
	}
	for _, name := range names {
		if _, ok := times[name]; !ok || len(times) != len(names) {
			return nil, fmt.Errorf("%q is not of the form %s", text, form)
		}
	}
	return times, nil
}
