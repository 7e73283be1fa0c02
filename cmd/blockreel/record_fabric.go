package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/recorder/fabricnet"
	"github.com/blockreel/blockreel/traces/event"
)

// fabricFlags are the flags of record fabric that are no part of its Config.
type fabricFlags struct {
	profile           string
	orderer           string
	peers             []string
	from, payload     string
	msp, mspID        string
	tls, clientAuth   bool
	ordererCA         string
	peerCAs           []string
	cert, key         string
	ordererName, name string
	metrics           []string
	metricsEvery      time.Duration
	buffer            int
	version           string
	more              []string
	queue             byteSize
	duration          time.Duration
	output            string
}

func newRecordFabric() *cobra.Command {
	var fl fabricFlags
	var cfg fabricnet.Config
	fl.queue = 64 << 20
	c := &cobra.Command{
		Use:   "fabric (--orderer HOST:PORT --peer HOST:PORT --channel NAME | --connection-profile FILE) -o FILE",
		Short: "Record a live Fabric network",
		Long: `Fabric subscribes to an orderer's blocks and to peers' events of committed blocks, with
the identity of an MSP directory that may read the channels. A block is offered when it
arrives from the orderer and committed when the peer's event arrives, by the clock of this
machine for both; run it near the nodes. The trace tells how long the way to each node takes,
and when a node was out of sight. What happens to a block between the two (buffer, validation) is
in the peers' logs alone: see "blockreel record logs", and "blockreel merge" to join both.

With --metrics the pages of the nodes' operations endpoints (operations.listenAddress,
metrics.provider: prometheus) are sampled as well: depth of the payloads buffer, heights,
stages. An https page is believed as its node is, by the same CA and host name. A page that
cannot be read is noted, and does not end the recording.

A node that goes away is tried again, and the recording goes on at the next block; blocks
that came in between have no times, and the trace says which. A refusal (certificates, host
name, identity, policy) ends the recording with what to do about it. Ctrl-C, --duration or
--until-caught-up end it; the trace is whole up to there.

--until-caught-up ends it when every peer has committed what the orderer has and no block has
come for 2 seconds: under a load that does not end, give --duration instead. If --from asks for
older blocks, it ends as soon as these are read and every peer is level.

Blocks from before the recording (--from) have sizes, counts and payloads, but no times. They are
read beside the new ones, whose times are right from the beginning. Blocks that a peer had yet to
commit when the recording began count as offered at its beginning.

With --wait, channels that are there are recorded while others are waited for. Nodes are waited
for before anything is recorded.

The network has one more subscriber a channel at each node; peers send ids and verdicts
alone. Memory is bounded: if the disk is too slow, payloads are dropped before any time, and
the trace says how many.

The flags are those of Fabric's own tools, and the CORE_PEER_* variables are their
defaults. --tls is for all nodes; an address that begins with grpcs:// or grpc:// says for
itself whether its node uses TLS. A connection profile gives the nodes of its channels (the first orderer, and the
peers but those with eventSource: false), their TLS CAs and host names, and the identity of
client.organization if it has signedCert and adminPrivateKey; flags stand for what it says,
and it stands for the variables. Of a profile this much is enough:

  channels: {mychannel: {orderers: [orderer0], peers: {peer0: {}}}}
  orderers: {orderer0: {url: "grpcs://orderer.example.com:7050", tlsCACerts: {path: orderer-ca.pem}}}
  peers:
    peer0:
      url: grpcs://localhost:7051
      tlsCACerts: {path: org1-ca.pem}
      grpcOptions: {ssl-target-name-override: peer0.org1.example.com}

Nothing on the wire tells how the peers are configured. A replay asks for N: say it with
--buffer-blocks if you know it.`,
		Example: `  blockreel record fabric --orderer orderer.example.com:7050 --tls --cafile orderer-ca.pem \
    --peer org1=peer0.org1.example.com:7051 --tlsRootCertFiles org1-tls-ca.pem \
    --mspid Org1MSP --msp users/User1@org1.example.com/msp -C mychannel -o run.reel
  blockreel record fabric --orderer localhost:7050 -C ch1,ch2 --payload full --duration 10m -o full.reel
  blockreel record fabric --connection-profile network.yaml --mspid Org1MSP --msp users/User1@org1.example.com/msp \
    --metrics peer0=http://localhost:9443/metrics -o run.reel
  blockreel record fabric --connection-profile connection-org1.yaml --msp users/User1@org1.example.com/msp \
    --orderer orderer.example.com:7050 --tls --cafile orderer-ca.pem -C mychannel --buffer-blocks 20 -o run.reel`,
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
	f.StringVar(&fl.profile, "connection-profile", "", "connection profile of Fabric's SDKs, YAML or JSON: nodes, channels, CAs, identity")
	f.StringVar(&fl.orderer, "orderer", "", "orderer to subscribe to, [NAME=][grpc://|grpcs://]HOST:PORT, or its name in the profile")
	f.StringArrayVar(&fl.peers, "peer", nil, "peer to subscribe to, [NAME=][grpc://|grpcs://]HOST:PORT, or its name in the profile; repeatable (CORE_PEER_ADDRESS)")
	f.StringSliceVarP(&cfg.Channels, "channel", "C", nil, "channel; repeatable (all of the profile unless given)")
	f.StringVar(&fl.from, "from", "current", "first block: current (each node's height), oldest, or a number up to the orderer's height")
	f.StringVar(&fl.payload, "payload", "none", "what to keep of the blocks: none, headers or full")
	f.Var(&fl.queue, "payload-queue", "memory for payloads that wait to be written")
	f.StringVar(&fl.mspID, "mspid", env("CORE_PEER_LOCALMSPID"), "MSP id of the identity (CORE_PEER_LOCALMSPID)")
	f.StringVar(&fl.msp, "msp", env("CORE_PEER_MSPCONFIGPATH"), "MSP directory of the identity (CORE_PEER_MSPCONFIGPATH)")
	enabled, _ := strconv.ParseBool(env("CORE_PEER_TLS_ENABLED"))
	f.BoolVar(&fl.tls, "tls", enabled, "use TLS (CORE_PEER_TLS_ENABLED)")
	f.StringVar(&fl.ordererCA, "cafile", "", "TLS CA of the orderer, PEM (that of the peers, or tlscacerts of the MSP, unless given)")
	f.StringArrayVar(&fl.peerCAs, "tlsRootCertFiles", nil, "TLS CA of the peers, PEM: one for all or one for each --peer (CORE_PEER_TLS_ROOTCERT_FILE)")
	enabled, _ = strconv.ParseBool(env("CORE_PEER_TLS_CLIENTAUTHREQUIRED"))
	f.BoolVar(&fl.clientAuth, "clientauth", enabled, "use mutual TLS, with --certfile and --keyfile (CORE_PEER_TLS_CLIENTAUTHREQUIRED)")
	f.StringVar(&fl.cert, "certfile", env("CORE_PEER_TLS_CLIENTCERT_FILE"), "client certificate for mutual TLS, PEM (CORE_PEER_TLS_CLIENTCERT_FILE)")
	f.StringVar(&fl.key, "keyfile", env("CORE_PEER_TLS_CLIENTKEY_FILE"), "key of --certfile, PEM (CORE_PEER_TLS_CLIENTKEY_FILE)")
	f.StringVar(&fl.ordererName, "ordererTLSHostnameOverride", "", "name in the orderer's TLS certificate")
	f.StringVar(&fl.name, "peerTLSHostnameOverride", env("CORE_PEER_TLS_SERVERHOSTOVERRIDE"), "name in the peers' TLS certificates (CORE_PEER_TLS_SERVERHOSTOVERRIDE)")
	f.StringArrayVar(&fl.metrics, "metrics", nil, "a node's metrics page to read as well, [NODE=]URL, as org1=http://peer0.org1.example.com:9443/metrics; repeatable")
	f.DurationVar(&fl.metricsEvery, "metrics-every", time.Second, "time between two readings of a metrics page")
	f.IntVar(&fl.buffer, "buffer-blocks", 0, "N, peer.gossip.state.blockBufferSize in the peers' core.yaml (CORE_PEER_GOSSIP_STATE_BLOCKBUFFERSIZE); kept in the trace for replays")
	f.StringVar(&fl.version, "fabric-version", "", "version of the peers, as \"peer version\" prints it; kept in the trace for replays")
	f.StringArrayVar(&fl.more, "setting", nil, "another setting to keep, NAME=VALUE, as validator_pool_size=4, state_database=CouchDB; repeatable")
	f.BoolVar(&cfg.Wait, "wait", false, "wait for nodes, channels and the block of --from that are not there yet, no longer than --duration")
	f.DurationVar(&fl.duration, "duration", 0, "end after this time of recording")
	f.BoolVar(&cfg.UntilCaughtUp, "until-caught-up", false, "end when all peers have committed what the orderer has, and no block has come for 2 s")
	traceFlag(c, &fl.output, "trace to write, - for stdout")
	return c
}

// files are those that the flags name to be read.
func (fl *fabricFlags) files() []string {
	return append([]string{fl.profile, fl.ordererCA, fl.cert, fl.key}, fl.peerCAs...)
}

// config checks the command line and reads the files that it names.
func (fl *fabricFlags) config(c *cobra.Command, cfg *fabricnet.Config) (err error) {
	switch {
	case fl.profile == "" && !fl.secure() && (fl.ordererCA != "" || len(fl.peerCAs) > 0 || fl.ordererName != "" || fl.clientAuth):
		return usagef(c, "CA files, host names and --clientauth are for TLS: give --tls as well, or grpcs:// before the address of a node")
	case fl.queue < 1 || fl.duration < 0 || fl.metricsEvery <= 0:
		return usagef(c, "--payload-queue, --duration and --metrics-every are above 0")
	}
	if err := needOutput(c, fl.output, fl.files()...); err != nil {
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
	if cfg.Settings, err = fl.settings(c); err != nil {
		return err
	}
	cfg.Recorder.QueuePayloadBytes, cfg.Tool = int(fl.queue), tool
	return fl.network(c, cfg)
}

func startAt(from string) (*event.BlockNum, error) {
	switch from {
	case "current":
		return nil, nil
	case "oldest":
		oldest := fabricnet.Oldest
		return &oldest, nil
	}
	n, err := strconv.ParseUint(from, 10, 63)
	if err != nil {
		return nil, fmt.Errorf("--from %q is neither current, oldest nor the number of a block", from)
	}
	at := event.BlockNum(n)
	return &at, nil
}
