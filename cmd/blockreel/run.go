package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/replay/network/metrics"
)

// runFlags are the flags of run beside those of the network.
type runFlags struct {
	listen, metrics string
	duration        time.Duration
	asJSON          bool
}

func newRun() *cobra.Command {
	var network *networkFlags
	var fl runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run an embedded Fabric network that any Fabric client can read from",
		Long: `Run starts an orderer and one peer for each organization in this process, and keeps them
until Ctrl-C or --duration. The orderer cuts blocks by an arrival profile; the peers pull
them over gRPC and TLS as Fabric's peers do, commit them, and send their events. Blocks are
made up, but valid: signed, chained, parsable. When the load has an end (--blocks), the
network still answers after it.

Once everything listens, one line on stdout says where the nodes are, which directories hold
the keys of a user of each organization, and where the metrics pages are; with --json it is
an object. A connection profile (connection.json in --dir) says the same to Fabric's SDKs and
to "blockreel record fabric". Keys are made anew by every run and are worth nothing
afterwards; so a run cannot be continued, and a --dir that holds one is refused.

The orderer listens at --listen, and the peers at the ports that follow; their metrics pages,
with Fabric's names, do so at --metrics. Port 0 takes free ones.`,
		Example: `  blockreel run
  blockreel run --orgs 2 --channels 2 --rate 50 --mutual-tls
  blockreel run --listen 127.0.0.1:0 --metrics 127.0.0.1:0 --dir net --json
  blockreel record fabric --connection-profile net/connection.json --from oldest -o run.reel`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("duration") && fl.duration <= 0 {
				return usagef(c, "--duration %v: give a time above 0, or leave it out to run until Ctrl-C", fl.duration)
			}
			network.cfg.Duration, network.cfg.Linger = fl.duration, true
			peers, err := following(fl.listen, network.cfg.Orgs)
			if err != nil {
				return usagef(c, "--listen: %w", err)
			}
			network.cfg.Listen.Orderer, network.cfg.Listen.Peers = fl.listen, peers
			cfg, err := network.config(c)
			if err != nil {
				return err
			}
			return runNetwork(c, cfg, fl)
		},
	}
	network = newNetworkFlags(c)
	f := c.Flags()
	f.DurationVar(&fl.duration, "duration", 0, "end after this time (runs until Ctrl-C unless given)")
	f.StringVar(&fl.listen, "listen", "127.0.0.1:7050", "address of the orderer; the peers take the ports that follow")
	f.BoolVar(&network.cfg.Listen.Public, "public", false, "allow --listen addresses that other machines can reach")
	f.BoolVar(&network.cfg.MutualTLS, "mutual-tls", false, "demand certificates of clients")
	f.StringVar(&fl.metrics, "metrics", "127.0.0.1:9443", "loopback address of the orderer's metrics page; the peers take the ports that follow (none if empty)")
	emptyMeansNone(f, "metrics")
	f.BoolVar(&fl.asJSON, "json", false, "print where everything is as a JSON object")
	return c
}

// runNetwork runs a network until the command's context ends or the time is over.
func runNetwork(c *cobra.Command, cfg network.Config, fl runFlags) (err error) {
	temporary := cfg.Dir == ""
	if temporary {
		if cfg.Dir, err = os.MkdirTemp("", "blockreel-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.Dir)) }()
	} else if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return err
	}
	net, err := network.Open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	pages := metrics.New(net.Streams(), net.Status)
	if fl.metrics != "" {
		if err := pages.Serve(fl.metrics); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, pages.Close()) }()
	}
	ctx := c.Context()
	if isTerminal(c.ErrOrStderr()) {
		fmt.Fprintln(c.ErrOrStderr(), "connecting the peers, making the first blocks")
	}
	if err := net.Prepare(ctx); ctx.Err() != nil {
		return nil
	} else if err != nil {
		return err
	}
	if err := tellReady(c, newReadiness(net, pages, cfg), fl.asJSON); err != nil {
		return err
	}
	if fl.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, fl.duration)
		defer cancel()
	}
	stop := showNetwork(c, net)
	summary, err := net.Run(ctx, pages)
	stop()
	tellStreams(c.ErrOrStderr(), summary)
	return err
}

// tellReady writes the connection profile and says where everything is: the one line of
// stdout, and how to record it on stderr.
func tellReady(c *cobra.Command, r *readiness, asJSON bool) error {
	if err := r.writeProfile(); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "record it with: %s\n", r.recordCommand())
	if asJSON {
		return json.NewEncoder(c.OutOrStdout()).Encode(r)
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), r)
	return err
}

// showNetwork keeps a line of heights on a terminal until the function that it returns is
// called.
func showNetwork(c *cobra.Command, net *network.Network) (stop func()) {
	stderr := c.ErrOrStderr()
	if !isTerminal(stderr) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		showStatus(ctx, stderr, net)
	}()
	return func() { cancel(); <-done }
}

func showStatus(ctx context.Context, w io.Writer, net *network.Network) {
	const every = 500 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	before := net.Committed()
	for {
		select {
		case <-tick.C:
			now := net.Committed()
			fmt.Fprintf(w, "\r\033[K%s | %.0f commits/s", statusLine(net.Status()), float64(now-before)/every.Seconds())
			before = now
		case <-ctx.Done():
			fmt.Fprint(w, "\r\033[K")
			return
		}
	}
}

// statusLine shows the stream with the widest gap; the first node is the orderer.
func statusLine(nodes []network.NodeStatus) string {
	line, widest := "", int64(-1)
	for _, peer := range nodes[1:] {
		for i, ch := range peer.Channels {
			offered := nodes[0].Channels[i].Height
			if gap := int64(offered) - int64(ch.Height); gap > widest {
				widest = gap
				line = fmt.Sprintf("%s@%s: orderer %s, peer %s, gap %s, buffer %d", ch.Channel, peer.Name,
					analysis.FormatCount(int64(offered)), analysis.FormatCount(int64(ch.Height)), analysis.FormatCount(gap), ch.Buffered)
			}
		}
	}
	return line
}
