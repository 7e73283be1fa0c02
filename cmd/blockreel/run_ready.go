package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/replay/network/metrics"
)

// readiness says where the nodes of a network are, and with which files to reach them.
type readiness struct {
	Orderer  readyNode   `json:"orderer"`
	Peers    []readyNode `json:"peers"`
	Channels []string    `json:"channels"`
	// MutualTLS: clients show client.crt of a node's tls_dir.
	MutualTLS bool   `json:"mutual_tls"`
	Dir       string `json:"dir"`
	// Profile is the path of a connection profile.
	Profile string `json:"connection_profile"`
}

// readyNode is a node. MSPDir is that of a user of its organization; TLSDir has ca.crt,
// the CA of the node's TLS certificate, and the user's client.crt and client.key.
type readyNode struct {
	Name    string `json:"name"`
	Host    string `json:"host"`
	Address string `json:"address"`
	MSPID   string `json:"mspid"`
	MSPDir  string `json:"msp_dir"`
	TLSDir  string `json:"tls_dir"`
	Metrics string `json:"metrics_url,omitempty"`
}

func newReadiness(n *network.Network, pages *metrics.Pages, cfg network.Config) *readiness {
	r := &readiness{MutualTLS: cfg.MutualTLS, Dir: cfg.Dir, Profile: filepath.Join(cfg.Dir, "connection.json")}
	for i, node := range n.Nodes() {
		ready := readyNode{
			Name: node.Name, Host: node.Host, Address: node.Address, MSPID: node.MSPID,
			MSPDir: node.MSPDir, TLSDir: node.TLSDir, Metrics: pages.URL(node.Name),
		}
		if i == 0 {
			r.Orderer = ready
		} else {
			r.Peers = append(r.Peers, ready)
		}
	}
	for _, ch := range n.Status()[0].Channels {
		r.Channels = append(r.Channels, ch.Channel)
	}
	return r
}

func (r *readiness) nodes() []readyNode { return append([]readyNode{r.Orderer}, r.Peers...) }

// String is the ready line.
func (r *readiness) String() string {
	var line strings.Builder
	line.WriteString("ready")
	for i, n := range r.nodes() {
		fmt.Fprintf(&line, "%c %s %s", ":,"[min(i, 1)], n.Name, n.Address)
	}
	security := "TLS"
	if r.MutualTLS {
		security = "mutual TLS"
	}
	fmt.Fprintf(&line, "; channels %s; %s; MSP and TLS directories in %s; connection profile %s",
		strings.Join(r.Channels, ", "), security, filepath.Join(r.Dir, "crypto"), r.Profile)
	if r.Orderer.Metrics != "" {
		var urls []string
		for _, n := range r.nodes() {
			urls = append(urls, n.Metrics)
		}
		fmt.Fprintf(&line, "; metrics %s", strings.Join(urls, ", "))
	}
	return line.String()
}

// recordCommand is the command line that records the network.
func (r *readiness) recordCommand() string {
	path := r.Profile
	if strings.ContainsAny(path, " '\"$") {
		path = "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	line := "blockreel record fabric --connection-profile " + path
	for _, n := range r.nodes() {
		if n.Metrics != "" {
			line += " --metrics " + n.Name + "=" + n.Metrics
		}
	}
	return line + " -o run.reel"
}

// writeProfile writes a connection profile of Fabric's SDKs, for the user of the first
// peer's organization.
func (r *readiness) writeProfile() error {
	type object = map[string]any
	file := func(dir, name string) object { return object{"path": filepath.Join(dir, name)} }
	node := func(n readyNode) object {
		return object{"url": "grpcs://" + n.Address, "tlsCACerts": file(n.TLSDir, "ca.crt"),
			"grpcOptions": object{"ssl-target-name-override": n.Host}}
	}
	peers, organizations, members, channels := object{}, object{}, object{}, object{}
	for _, p := range r.Peers {
		peers[p.Name] = node(p)
		members[p.Name] = object{"eventSource": true}
		organizations[p.MSPID] = object{"mspid": p.MSPID, "peers": []string{p.Name}}
	}
	for _, ch := range r.Channels {
		channels[ch] = object{"orderers": []string{r.Orderer.Name}, "peers": members}
	}
	first := r.Peers[0]
	signs, _ := filepath.Glob(filepath.Join(first.MSPDir, "signcerts", "*.pem")) // the pattern is a good one
	if len(signs) != 1 {
		return fmt.Errorf("%s has %d certificates in signcerts, not one", first.MSPDir, len(signs))
	}
	user := organizations[first.MSPID].(object)
	user["signedCert"], user["adminPrivateKey"] = object{"path": signs[0]}, file(first.MSPDir, filepath.Join("keystore", "priv_sk"))
	client := object{"organization": first.MSPID}
	if r.MutualTLS {
		client["tlsCerts"] = object{"client": object{"cert": file(first.TLSDir, "client.crt"), "key": file(first.TLSDir, "client.key")}}
	}
	return outfile.WritePrivate(r.Profile, func(w io.Writer) error {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		return out.Encode(object{
			"name": "blockreel", "version": "1.0.0", "client": client, "channels": channels, "organizations": organizations,
			"orderers": object{r.Orderer.Name: node(r.Orderer)}, "peers": peers,
		})
	})
}

// following gives n addresses at the ports that follow that of the address; all of them
// are 0 if it is.
func following(address string, n int) ([]string, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n < 0 || int(port)+n > 65535 {
		return nil, fmt.Errorf("%s is no port with %d that follow", text, n)
	}
	all := []string{}
	for i := range n {
		next := 0
		if port != 0 {
			next = int(port) + i + 1
		}
		all = append(all, net.JoinHostPort(host, strconv.Itoa(next)))
	}
	return all, nil
}
