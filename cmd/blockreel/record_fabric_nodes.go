package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/profile"
	"github.com/blockreel/blockreel/recorder/fabriclog"
	"github.com/blockreel/blockreel/recorder/fabricnet"
	"github.com/blockreel/blockreel/traces"
)

// network fills in the nodes, the channels and the identity: what a flag says, or else
// the connection profile, or else a CORE_PEER_* variable.
func (fl *fabricFlags) network(c *cobra.Command, cfg *fabricnet.Config) error {
	described := &profile.Profile{}
	var err error
	if fl.profile != "" {
		if described, err = profile.Load(fl.profile); err != nil {
			return err
		}
	}
	part, err := described.Select(cfg.Channels)
	if err != nil && (fl.orderer == "" || len(fl.peers) == 0) {
		return usagef(c, "%w", err)
	}
	cfg.Channels = part.Channels
	if fl.orderer == "" && len(part.Orderers) > 0 {
		fl.orderer = part.Orderers[0].Name
	}
	address := os.Getenv("CORE_PEER_ADDRESS")
	switch {
	case len(fl.peers) == 0 && len(part.Peers) > 0:
		for _, n := range part.Peers {
			fl.peers = append(fl.peers, n.Name)
		}
	case len(fl.peers) == 0 && address != "":
		fl.peers = []string{address}
	}
	mspID := fl.mspID
	if !c.Flags().Changed("mspid") {
		mspID = cmp.Or(described.MSPID(), fl.mspID)
	}
	var signer *identity.Identity
	if !c.Flags().Changed("msp") {
		if signer, err = described.Identity(mspID); err != nil {
			return fmt.Errorf("connection profile %s: %w", fl.profile, err)
		}
	}
	switch {
	case fl.orderer == "":
		return usagef(c, "name the orderer with --orderer")
	case len(fl.peers) == 0:
		return usagef(c, "name a peer with --peer or CORE_PEER_ADDRESS")
	case len(cfg.Channels) == 0:
		return usagef(c, "name a channel with --channel")
	case signer == nil && (fl.msp == "" || mspID == ""):
		return usagef(c, "say who asks with --msp and --mspid, or CORE_PEER_MSPCONFIGPATH and CORE_PEER_LOCALMSPID")
	case len(fl.peerCAs) > 1 && len(fl.peerCAs) != len(fl.peers):
		return usagef(c, "--tlsRootCertFiles is given %d times for %d peers: give one for all or one for each", len(fl.peerCAs), len(fl.peers))
	}
	if err := fl.nodes(c, described, cfg); err != nil {
		return err
	}
	if err := fl.pages(c, cfg); err != nil {
		return err
	}
	if signer == nil {
		if signer, err = identity.LoadMSP(fl.msp, mspID); err != nil {
			return fmt.Errorf("identity: %w (--msp names a directory with signcerts and keystore)", err)
		}
	}
	if end := signer.Certificate.NotAfter; time.Now().After(end) {
		warn(c.ErrOrStderr(), "the identity's certificate has expired on %s: nodes refuse it", end.UTC().Format(time.DateOnly))
	}
	cfg.Signer = signer
	return nil
}

// nodes makes the orderer and the peers of what fl names.
func (fl *fabricFlags) nodes(c *cobra.Command, described *profile.Profile, cfg *fabricnet.Config) (err error) {
	peerCA := func(i int) string {
		switch len(fl.peerCAs) {
		case 0:
			return ""
		case 1:
			return fl.peerCAs[0]
		}
		return fl.peerCAs[i]
	}
	n, ok := described.Orderer(fl.orderer)
	if ok {
		cfg.Orderer, err = fl.described(c, described, n, fl.ordererCA, fl.ordererName)
	} else {
		ca := cmp.Or(fl.ordererCA, peerCA(0), os.Getenv("CORE_PEER_TLS_ROOTCERT_FILE"))
		name, address := nameOf(fl.orderer)
		cfg.Orderer, err = fl.addressed(c, name, address, ca, fl.ordererName)
	}
	if err != nil {
		return fmt.Errorf("orderer %s: %w", fl.orderer, err)
	}
	for i, peer := range fl.peers {
		var node fabricnet.Node
		if n, ok := described.Peer(peer); ok {
			name := ""
			if c.Flags().Changed("peerTLSHostnameOverride") {
				name = fl.name
			}
			node, err = fl.described(c, described, n, peerCA(i), name)
		} else {
			name, address := nameOf(peer)
			node, err = fl.addressed(c, name, address, cmp.Or(peerCA(i), os.Getenv("CORE_PEER_TLS_ROOTCERT_FILE")), fl.name)
		}
		if err != nil {
			return fmt.Errorf("peer %s: %w", peer, err)
		}
		cfg.Peers = append(cfg.Peers, node)
	}
	return nil
}

// What a node's address may begin with, as in connection profiles.
const (
	secureScheme = "grpcs://"
	plainScheme  = "grpc://"
)

// secure reports whether TLS is used with any node that a flag gives the address of.
func (fl *fabricFlags) secure() bool {
	secured := func(text string) bool { _, address := nameOf(text); return strings.HasPrefix(address, secureScheme) }
	return fl.tls || secured(fl.orderer) || slices.ContainsFunc(fl.peers, secured)
}

// nameOf takes [NAME=]HOST:PORT apart.
func nameOf(text string) (name, address string) {
	if name, address, named := strings.Cut(text, "="); named {
		return name, address
	}
	return "", text
}

// pages finds the node of each metrics page: the one that is named, or that has the page's
// host. An https page is believed as the node itself is.
func (fl *fabricFlags) pages(c *cobra.Command, cfg *fabricnet.Config) error {
	nodes := append([]fabricnet.Node{cfg.Orderer}, cfg.Peers...)
	for _, text := range fl.metrics {
		name, page, named := strings.Cut(text, "=")
		if !named || strings.Contains(name, "//") { // a URL with a query
			name, page, named = "", text, false
		}
		at := page
		if !strings.Contains(at, "://") {
			at = "http://" + at
		}
		u, err := url.Parse(at)
		if err != nil {
			return usagef(c, "--metrics %q is not [NODE=]URL: %w", text, err)
		}
		var found []fabricnet.Node
		for _, n := range nodes {
			host, _, _ := net.SplitHostPort(n.Address)
			if named && cmp.Or(n.Name, n.Address) == name || !named && host == u.Hostname() {
				found = append(found, n)
			}
		}
		switch {
		case named && len(found) == 0:
			return usagef(c, "--metrics %s: no node is called %q; nodes are called by their NAME in --orderer and --peer or in the profile, or else by their address", text, name)
		case len(found) != 1:
			return usagef(c, "--metrics %s: %d nodes are at this host: say whose page it is with NODE=URL", text, len(found))
		}
		cfg.Metrics = append(cfg.Metrics, fabricnet.MetricsPage{URL: at, Node: cmp.Or(found[0].Name, found[0].Address),
			Interval: fl.metricsEvery, TLS: found[0].TLS})
	}
	return nil
}

// described makes a node of the profile's; a CA, a name and a certificate of the command
// line stand for the profile's.
func (fl *fabricFlags) described(c *cobra.Command, p *profile.Profile, n profile.Node, ca, serverName string) (fabricnet.Node, error) {
	at, err := p.Endpoint(n)
	if err != nil {
		return fabricnet.Node{}, fmt.Errorf("connection profile %s: %w", fl.profile, err)
	}
	ends := at.TLS
	node := fabricnet.Node{Name: n.Name, Address: at.Address, TLS: ends}
	if ends == nil {
		return node, nil
	}
	flags, err := deliver.LoadTLS(ca, fl.cert, fl.key, serverName)
	if err != nil {
		return node, err
	}
	if flags.Certificates != nil && (ends.Certificates == nil || c.Flags().Changed("certfile")) {
		ends.Certificates = flags.Certificates
	}
	if flags.RootCAs != nil {
		ends.RootCAs = flags.RootCAs
	}
	ends.ServerName = cmp.Or(serverName, ends.ServerName)
	return node, fl.complete(c, ends)
}

// addressed makes a node of an address: HOST:PORT, with TLS as --tls says, or grpcs:// or
// grpc:// before it, which say it themselves.
func (fl *fabricFlags) addressed(c *cobra.Command, name, address, ca, serverName string) (fabricnet.Node, error) {
	secure := fl.tls
	if rest, ok := strings.CutPrefix(address, secureScheme); ok {
		address, secure = rest, true
	} else if rest, ok := strings.CutPrefix(address, plainScheme); ok {
		address, secure = rest, false
	}
	node := fabricnet.Node{Name: name, Address: address}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		if fl.profile != "" {
			return node, fmt.Errorf("neither HOST:PORT nor a name of the connection profile %s", fl.profile)
		}
		return node, usagef(c, "%q is not HOST:PORT", address)
	}
	if !secure {
		return node, nil
	}
	ends, err := deliver.LoadTLS(ca, fl.cert, fl.key, serverName)
	if err != nil {
		return node, err
	}
	node.TLS = ends
	return node, fl.complete(c, ends)
}

// complete holds that there is a certificate for mutual TLS, and believes the CAs of the
// MSP directory if no other was given.
func (fl *fabricFlags) complete(c *cobra.Command, ends *tls.Config) (err error) {
	if fl.clientAuth && ends.Certificates == nil {
		return usagef(c, "--clientauth needs --certfile and --keyfile")
	}
	if ends.RootCAs == nil && fl.msp != "" {
		ends.RootCAs, err = identity.LoadTLSRoots(fl.msp)
	}
	return err
}

// settings are what the command line tells of the peers.
func (fl *fabricFlags) settings(c *cobra.Command) (traces.Settings, error) {
	s := traces.Settings{}
	for _, text := range fl.more {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" || value == "" {
			return nil, usagef(c, "--setting %q is not NAME=VALUE", text)
		}
		s[name] = value
	}
	if c.Flags().Changed("buffer-blocks") {
		if fl.buffer < 1 {
			return nil, usagef(c, "--buffer-blocks %d: blockBufferSize is at least 1", fl.buffer)
		}
		s[traces.SettingBuffer] = strconv.Itoa(fl.buffer)
	}
	if fl.version != "" {
		preset := fabriclog.Preset(strings.TrimPrefix(fl.version, "v"))
		if preset == "" {
			return nil, usagef(c, "--fabric-version %q is no version of Fabric like 2.5.16", fl.version)
		}
		s[traces.SettingFabricVersion], s[traces.SettingPreset] = fl.version, preset
	}
	return s, nil
}
