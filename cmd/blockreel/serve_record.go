package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/recorder/fabricnet"
	"github.com/blockreel/blockreel/replay/serve"
)

// serveRecord are the flags of a recording of what serve delivers. Those of peers are a
// part of record fabric's.
type serveRecord struct {
	fabricFlags
	untilCaughtUp bool
}

func (r *serveRecord) bind(f *pflag.FlagSet) {
	env := os.Getenv
	f.StringVar(&r.output, "record", "", "trace of the delivery to write")
	forceFlag(f)
	f.StringArrayVar(&r.peers, "peer", nil, "peer whose commits to record, [NAME=]HOST:PORT; repeatable")
	f.BoolVar(&r.untilCaughtUp, "until-caught-up", false, "end when every --peer has committed all blocks")
	f.StringVar(&r.mspID, "mspid", env("CORE_PEER_LOCALMSPID"), "MSP id of the identity that asks peers (CORE_PEER_LOCALMSPID)")
	f.StringVar(&r.msp, "msp", env("CORE_PEER_MSPCONFIGPATH"), "its MSP directory (CORE_PEER_MSPCONFIGPATH)")
	enabled, _ := strconv.ParseBool(env("CORE_PEER_TLS_ENABLED"))
	f.BoolVar(&r.tls, "tls", enabled, "use TLS towards peers (CORE_PEER_TLS_ENABLED)")
	f.StringArrayVar(&r.peerCAs, "tlsRootCertFiles", nil, "TLS CA of the peers, PEM: one for all or one for each --peer (CORE_PEER_TLS_ROOTCERT_FILE)")
	f.StringVar(&r.cert, "certfile", env("CORE_PEER_TLS_CLIENTCERT_FILE"), "client certificate for mutual TLS with peers, PEM (CORE_PEER_TLS_CLIENTCERT_FILE)")
	f.StringVar(&r.key, "keyfile", env("CORE_PEER_TLS_CLIENTKEY_FILE"), "key of --certfile, PEM (CORE_PEER_TLS_CLIENTKEY_FILE)")
	f.StringVar(&r.name, "peerTLSHostnameOverride", env("CORE_PEER_TLS_SERVERHOSTOVERRIDE"), "name in the peers' TLS certificates (CORE_PEER_TLS_SERVERHOSTOVERRIDE)")
	f.IntVar(&r.buffer, "buffer-blocks", 0, "N, peer.gossip.state.blockBufferSize in the peers' core.yaml; kept in --record for replays")
	f.StringVar(&r.version, "fabric-version", "", "version of the peers; kept in --record for replays")
	f.StringArrayVar(&r.more, "setting", nil, "another setting of the peers to keep in --record, NAME=VALUE; repeatable")
}

// config checks the flags, and reads the files that they name. inputs are the trace to
// serve and what else is read.
func (r *serveRecord) config(c *cobra.Command, cfg *serve.Config, inputs ...string) error {
	if r.output == "" {
		for _, flag := range []string{"peer", "until-caught-up", "buffer-blocks", "fabric-version", "setting"} {
			if c.Flags().Changed(flag) {
				return usagef(c, "--%s needs --record", flag)
			}
		}
		return nil
	}
	switch {
	case r.output == "-":
		return usagef(c, "what is served is recorded into a file, not to stdout")
	case len(r.peers) == 0 && r.untilCaughtUp:
		return usagef(c, "--until-caught-up needs --peer, which tells of its commits")
	case len(r.peers) > 0 && (r.msp == "" || r.mspID == ""):
		return usagef(c, "say who asks the peers with --msp and --mspid, or CORE_PEER_MSPCONFIGPATH and CORE_PEER_LOCALMSPID")
	case !r.tls && (len(r.peerCAs) > 0 || c.Flags().Changed("peerTLSHostnameOverride")):
		return usagef(c, "--tlsRootCertFiles and --peerTLSHostnameOverride are for TLS: give --tls as well")
	case len(r.peerCAs) > 1 && len(r.peerCAs) != len(r.peers):
		return usagef(c, "--tlsRootCertFiles is given %d times for %d peers: give one for all or one for each", len(r.peerCAs), len(r.peers))
	}
	streams, err := filepath.Glob(r.output + ".stream*") // they are written until the end
	if err != nil {
		streams = nil // the name is no pattern
	}
	for _, path := range append(streams, r.output) {
		if err := spareInputs(c, path, append(inputs, r.files()...)...); err != nil {
			return err
		}
	}
	if err := sparePayloads(c, r.output); err != nil {
		return err
	}
	record := &serve.Recording{Path: r.output, UntilCaughtUp: r.untilCaughtUp, Tool: tool}
	if record.Settings, err = r.settings(c); err != nil {
		return err
	}
	cfg.Record = record
	if len(r.peers) == 0 {
		return nil
	}
	if record.Signer, err = identity.LoadMSP(r.msp, r.mspID); err != nil {
		return fmt.Errorf("identity: %w (--msp names a directory with signcerts and keystore)", err)
	}
	for i, text := range r.peers {
		name, address, named := strings.Cut(text, "=")
		if !named {
			name, address = "", text
		}
		ca := os.Getenv("CORE_PEER_TLS_ROOTCERT_FILE")
		if len(r.peerCAs) > 0 {
			ca = r.peerCAs[min(i, len(r.peerCAs)-1)]
		}
		node, err := r.addressed(c, name, address, ca, r.name)
		if err != nil {
			return fmt.Errorf("peer %s: %w", cmp.Or(name, address), err)
		}
		record.Peers = append(record.Peers, serve.Peer(node))
	}
	return nil
}

// peers tells of peers whose commits are followed.
func (t *liveTalk) peers(r *serve.Recording) {
	r.Followed = func(p serve.Peer, channel string, from, end uint64) {
		t.printf("%s tells of its commits on %s from block %d on\n", p.Address, channel, from)
		if from >= end {
			t.printf("warning: %s has all blocks of %s that the trace holds: its height is %d; what it has committed so far has no time\n", p.Address, channel, from)
		}
	}
	r.Waits = func(p serve.Peer, channel string) {
		t.printf("%s reads %s, and is sent nothing before %s tells of its commits; Ctrl-C ends the wait\n", p.Name, channel, p.Address)
	}
	r.Lost = func(p serve.Peer, channel string, err error) {
		hint := ""
		if refused := new(deliver.StatusError); !errors.As(err, &refused) {
			hint = " (check its address and --tls)"
		}
		t.printf("%s does not tell of its commits on %s and is tried again: %v%s\n", p.Address, channel, err, hint)
	}
}

// mendPeer adds to a peer's refusal the flag that may mend it.
func mendPeer(err error) error {
	var refused *serve.PeerError
	if !errors.As(err, &refused) {
		return err
	}
	return mend(&fabricnet.NodeError{Name: refused.Peer, Channel: refused.Channel, Err: refused.Err}, false)
}

// saveRecording writes the trace of what was served, and says what is in it.
func saveRecording(talk *liveTalk, s *serve.Server, path string) error {
	if err := s.SaveRecording(); err != nil {
		return err
	}
	for _, st := range s.Recorded() {
		line := fmt.Sprintf("%s@%s: sent %s", st.Channel, st.Peer, analysis.FormatCount(st.Sent))
		if st.Followed {
			line += fmt.Sprintf(", committed %s, height %s", analysis.FormatCount(st.Committed), analysis.FormatCount(int64(st.Height)))
		}
		talk.printf("%s\n", line)
		if st.Dropped > 0 {
			warn(talk.w, "%s@%s: %s dropped", st.Channel, st.Peer, analysis.FormatCounted(int64(st.Dropped), "event"))
		}
	}
	talk.printf("wrote %s\n", path)
	return nil
}
