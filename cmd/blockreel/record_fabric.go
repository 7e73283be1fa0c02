package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/recorder/fabricnet"
)

// fabricFlags are the flags of record fabric that are no part of its Config.
type fabricFlags struct {
	orderer           string
	peers             []string
	from, payload     string
	msp, mspID        string
	tls               bool
	ordererCA         string
	peerCAs           []string
	cert, key         string
	ordererName, name string
	queue             byteSize
	duration          time.Duration
	output            string
}

func newRecordFabric() *cobra.Command {
	var fl fabricFlags
	var cfg fabricnet.Config
	fl.queue = 64 << 20
	c := &cobra.Command{
		Use:   "fabric --orderer HOST:PORT --peer HOST:PORT --channel NAME -o FILE",
		Short: "Record a live Fabric network",
		Long: `Fabric subscribes to an orderer's blocks and to peers' events of committed blocks, with
the identity of an MSP directory that may read the channels. A block is offered when it
arrives from the orderer and committed when the peer's event arrives, by the clock of this
machine for both; run it near the nodes. What happens between the two (buffer, validation)
is in the peers' logs alone: see "blockreel record logs".

A node that goes away is tried again, and the recording goes on at the next block; blocks
that came in between have no times, and the trace says which. A refusal (certificates, host
name, identity, policy) ends the recording with what to do about it. Ctrl-C, --duration or
--until-caught-up end it; the trace is whole up to there.

The network has one more subscriber a channel at each node; peers send ids and verdicts
alone. Memory is bounded: if the disk is too slow, payloads are dropped before any time, and
the trace says how many. With a payload there is a second file beside the trace,
FILE.payloads, until the end.

The flags are those of Fabric's own tools, and the CORE_PEER_* variables are their
defaults. Metrics endpoints and connection profiles are not read.`,
		Example: `  blockreel record fabric --orderer orderer.example.com:7050 --tls --cafile orderer-ca.pem \
    --peer org1=peer0.org1.example.com:7051 --tlsRootCertFiles org1-tls-ca.pem \
    --mspid Org1MSP --msp users/User1@org1.example.com/msp -C mychannel -o run.reel
  blockreel record fabric --orderer localhost:7050 -C ch1,ch2 --payload full --duration 10m -o full.reel`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := fl.config(c, &cfg); err != nil {
				return err
			}
			return recordFabric(c, cfg, fl)
		},
	}
	env := os.Getenv
	f := c.Flags()
	f.StringVar(&fl.orderer, "orderer", "", "orderer to subscribe to, HOST:PORT (required)")
	f.StringArrayVar(&fl.peers, "peer", nil, "peer to subscribe to, [NAME=]HOST:PORT; repeatable (CORE_PEER_ADDRESS)")
	f.StringSliceVarP(&cfg.Channels, "channel", "C", nil, "channel; repeatable (required)")
	f.StringVar(&fl.from, "from", "current", "first block: current (each node's height), oldest, or a number")
	f.StringVar(&fl.payload, "payload", "none", "what to keep of the blocks: none, headers or full")
	f.Var(&fl.queue, "payload-queue", "memory for payloads that wait to be written")
	f.StringVar(&fl.mspID, "mspid", env("CORE_PEER_LOCALMSPID"), "MSP id of the identity (CORE_PEER_LOCALMSPID)")
	f.StringVar(&fl.msp, "msp", env("CORE_PEER_MSPCONFIGPATH"), "MSP directory of the identity (CORE_PEER_MSPCONFIGPATH)")
	enabled, _ := strconv.ParseBool(env("CORE_PEER_TLS_ENABLED"))
	f.BoolVar(&fl.tls, "tls", enabled, "use TLS (CORE_PEER_TLS_ENABLED)")
	f.StringVar(&fl.ordererCA, "cafile", "", "TLS CA of the orderer, PEM (that of the peers, or tlscacerts of the MSP, unless given)")
	f.StringArrayVar(&fl.peerCAs, "tlsRootCertFiles", nil, "TLS CA of the peers, PEM: one for all or one for each --peer (CORE_PEER_TLS_ROOTCERT_FILE)")
	f.StringVar(&fl.cert, "certfile", env("CORE_PEER_TLS_CLIENTCERT_FILE"), "client certificate for mutual TLS, PEM (CORE_PEER_TLS_CLIENTCERT_FILE)")
	f.StringVar(&fl.key, "keyfile", env("CORE_PEER_TLS_CLIENTKEY_FILE"), "key of --certfile, PEM (CORE_PEER_TLS_CLIENTKEY_FILE)")
	f.StringVar(&fl.ordererName, "ordererTLSHostnameOverride", "", "name in the orderer's TLS certificate")
	f.StringVar(&fl.name, "peerTLSHostnameOverride", env("CORE_PEER_TLS_SERVERHOSTOVERRIDE"), "name in the peers' TLS certificates (CORE_PEER_TLS_SERVERHOSTOVERRIDE)")
	f.BoolVar(&cfg.Wait, "wait", false, "wait for nodes and channels that are not there yet")
	f.DurationVar(&fl.duration, "duration", 0, "end after this time")
	f.BoolVar(&cfg.UntilCaughtUp, "until-caught-up", false, "end when all peers have committed what the orderer has")
	outputFlag(c, &fl.output, "trace to write")
	return c
}

// config checks the command line and reads the files that it names.
func (fl *fabricFlags) config(c *cobra.Command, cfg *fabricnet.Config) (err error) {
	if address := os.Getenv("CORE_PEER_ADDRESS"); len(fl.peers) == 0 && address != "" {
		fl.peers = []string{address}
	}
	if file := os.Getenv("CORE_PEER_TLS_ROOTCERT_FILE"); len(fl.peerCAs) == 0 && file != "" {
		fl.peerCAs = []string{file}
	}
	switch {
	case fl.orderer == "":
		return usagef(c, "name the orderer with --orderer")
	case len(fl.peers) == 0:
		return usagef(c, "name a peer with --peer or CORE_PEER_ADDRESS")
	case len(cfg.Channels) == 0:
		return usagef(c, "name a channel with --channel")
	case fl.msp == "" || fl.mspID == "":
		return usagef(c, "say who asks with --msp and --mspid, or CORE_PEER_MSPCONFIGPATH and CORE_PEER_LOCALMSPID")
	case fl.output == "-":
		return usagef(c, "a live network is recorded into a file, not to stdout")
	case !fl.tls && (fl.ordererCA != "" || c.Flags().Changed("tlsRootCertFiles") || fl.ordererName != ""):
		return usagef(c, "CA files and host names are for TLS: give --tls as well")
	case len(fl.peerCAs) > 1 && len(fl.peerCAs) != len(fl.peers):
		return usagef(c, "--tlsRootCertFiles is given %d times for %d peers: give one for all or one for each", len(fl.peerCAs), len(fl.peers))
	case fl.queue < 1 || fl.duration < 0:
		return usagef(c, "--payload-queue and --duration are above 0")
	}
	if err := needOutput(c, fl.output); err != nil {
		return err
	}
	modes := map[string]fabricnet.Payload{"none": fabricnet.PayloadNone, "headers": fabricnet.PayloadHeaders, "full": fabricnet.PayloadFull}
	known := false
	if cfg.Payload, known = modes[fl.payload]; !known {
		return usagef(c, "--payload %q is none of none, headers, full", fl.payload)
	}
	if cfg.From, err = startAt(fl.from); err != nil {
		return usagef(c, "%w", err)
	}
	cfg.QueueBytes, cfg.Tool = int(fl.queue), tool
	if cfg.Signer, err = identity.LoadMSP(fl.msp, fl.mspID); err != nil {
		return fmt.Errorf("identity: %w (--msp names a directory with signcerts and keystore)", err)
	}
	return fl.nodes(cfg)
}

func (fl *fabricFlags) nodes(cfg *fabricnet.Config) (err error) {
	firstPeerCA := append(fl.peerCAs, "")[0]
	cfg.Orderer.Endpoint, err = fl.endpoint(fl.orderer, cmp.Or(fl.ordererCA, firstPeerCA), fl.ordererName)
	if err != nil {
		return fmt.Errorf("orderer: %w", err)
	}
	for i, peer := range fl.peers {
		name, address, named := strings.Cut(peer, "=")
		if !named {
			name, address = peer, peer
		}
		ca := firstPeerCA
		if len(fl.peerCAs) > 1 {
			ca = fl.peerCAs[i]
		}
		node := fabricnet.Node{Name: name}
		if node.Endpoint, err = fl.endpoint(address, ca, fl.name); err != nil {
			return fmt.Errorf("peer %s: %w", name, err)
		}
		cfg.Peers = append(cfg.Peers, node)
	}
	return nil
}

// endpoint believes the given CA, or else those of the MSP directory.
func (fl *fabricFlags) endpoint(address, ca, serverName string) (deliver.Endpoint, error) {
	if !fl.tls {
		return deliver.Endpoint{Address: address}, nil
	}
	ends, err := deliver.LoadTLS(ca, fl.cert, fl.key, serverName)
	if err == nil && ca == "" {
		ends.Roots, err = identity.LoadTLSRoots(fl.msp)
	}
	return deliver.Endpoint{Address: address, TLS: ends}, err
}

func startAt(from string) (*deliver.Position, error) {
	switch from {
	case "current":
		return nil, nil
	case "oldest":
		return &deliver.Oldest, nil
	}
	n, err := strconv.ParseUint(from, 10, 63)
	if err != nil {
		return nil, fmt.Errorf("--from %q is neither current, oldest nor the number of a block", from)
	}
	at := deliver.At(n)
	return &at, nil
}

// recordFabric connects first, so that a refusal leaves no file; the trace is there from
// then on, so that a kill leaves what was recorded.
func recordFabric(c *cobra.Command, cfg fabricnet.Config, fl fabricFlags) error {
	net, err := fabricnet.Open(c.Context(), cfg)
	if err != nil {
		return mend(err)
	}
	defer net.Close()
	ctx := c.Context()
	if fl.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, fl.duration)
		defer cancel()
	}
	stop := showHeights(c, net)
	err = recordFiles(ctx, net, fl.output, cfg.Payload != fabricnet.PayloadNone)
	stop()
	stderr := c.ErrOrStderr()
	for _, s := range net.Status() {
		fmt.Fprintf(stderr, "%s: %s commits observed, orderer at %d, peer at %d\n", s.Name, analysis.FormatCount(int64(s.Blocks)), s.Offered, s.Committed)
		if s.Dropped > 0 {
			warn(stderr, "%s: %s events were dropped", s.Name, analysis.FormatCount(int64(s.Dropped)))
		}
	}
	if lost := net.Status()[0].DroppedPayloads; lost > 0 {
		warn(stderr, "payloads of %s blocks were dropped: the disk is too slow for them; their times are whole", analysis.FormatCount(int64(lost)))
	}
	fmt.Fprintf(stderr, "wrote %s\n", fl.output)
	return mend(err)
}

// recordFiles runs the recording into output, by way of a second file if there are
// payloads.
func recordFiles(ctx context.Context, net *fabricnet.Network, output string, payloads bool) error {
	times, err := os.OpenFile(output, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer times.Close()
	if !payloads {
		return errors.Join(net.Run(ctx, times, nil), times.Close())
	}
	// Payloads are somebody's ledger: nobody else reads them.
	blocks, err := os.OpenFile(output+".payloads", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer blocks.Close()
	ran := net.Run(ctx, times, blocks)
	for _, f := range []*os.File{times, blocks} {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return errors.Join(ran, err)
		}
	}
	if err := errors.Join(times.Chmod(0o600), outfile.WritePrivate(output, func(w io.Writer) error {
		return fabricnet.Merge(w, times, blocks)
	})); err != nil {
		return errors.Join(ran, fmt.Errorf("the payloads stay in %s: %w", blocks.Name(), err))
	}
	return errors.Join(ran, os.Remove(blocks.Name()))
}

// showHeights keeps a line on a terminal until the function that it returns is called.
func showHeights(c *cobra.Command, net *fabricnet.Network) (stop func()) {
	stderr := c.ErrOrStderr()
	if !isTerminal(stderr) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		const every = 500 * time.Millisecond
		tick := time.NewTicker(every)
		defer tick.Stop()
		var before uint64
		for {
			select {
			case <-tick.C:
				line, blocks := heightsLine(net.Status(), before, every)
				before = blocks
				fmt.Fprintf(stderr, "\r\033[K%s", line)
			case <-ctx.Done():
				fmt.Fprint(stderr, "\r\033[K")
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// heightsLine shows the stream with the widest gap, and the commits of all; before is
// what it returned the last time.
func heightsLine(all []fabricnet.Status, before uint64, since time.Duration) (line string, blocks uint64) {
	worst, gap := all[0], int64(0)
	var dropped uint64
	for _, s := range all {
		blocks += s.Blocks
		dropped += s.Dropped
		if g := int64(s.Offered) - int64(s.Committed); g > gap {
			worst, gap = s, g
		}
	}
	return fmt.Sprintf("%s: orderer %d, peer %d, gap %d | %d streams: %.0f commits/s | %s | dropped: %d events, %d payloads",
		worst.Name, worst.Offered, worst.Committed, gap, len(all), float64(blocks-before)/since.Seconds(),
		analysis.FormatBytes(int64(worst.Bytes)), dropped, worst.DroppedPayloads), blocks
}

// mend adds to an error of the network the flag that may mend it.
func mend(err error) error {
	var node *fabricnet.NodeError
	if !errors.As(err, &node) {
		return err
	}
	ca, name := "--tlsRootCertFiles", "--peerTLSHostnameOverride"
	if node.Orderer {
		ca, name = "--cafile", "--ordererTLSHostnameOverride"
	}
	var hostname x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var connect *deliver.ConnectError
	hint := ""
	switch {
	case errors.As(err, &hostname):
		hint = "give a name of the certificate with " + name
	case errors.As(err, &unknown):
		hint = "give the CA of the node's TLS certificate with " + ca
	case errors.As(err, &invalid):
		hint = "the node needs a new TLS certificate"
	case errors.As(err, &record):
		hint = "leave out --tls"
	case deliver.HasStatus(err, commonpb.Status_FORBIDDEN):
		hint = "choose another identity with --msp and --mspid"
	case deliver.HasStatus(err, commonpb.Status_BAD_REQUEST):
		hint = "compare the clocks, and --certfile if the node wants mutual TLS"
	case deliver.HasStatus(err, commonpb.Status_NOT_FOUND):
		hint = "check --channel, or wait for it with --wait"
	case errors.As(err, &connect) && connect.Permanent:
		hint = "check " + ca + ", --certfile and --keyfile"
	case !deliver.Permanent(err) && errors.As(err, &connect):
		hint = "check the address and --tls, or wait for the node with --wait"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, hint)
}
