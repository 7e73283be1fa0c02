package profile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
)

// Selection is the part of a network that serves some channels.
type Selection struct {
	Channels []string
	// Orderers that serve all of them, best first. There may be none: a profile for
	// clients that go through a gateway names no orderer.
	Orderers []Node
	// Peers of all of them that send events.
	Peers []Node
}

// template is what the Go SDK calls the channel that stands for those not described.
const template = "_default"

// Select chooses the nodes of these channels; none: all channels that the profile
// describes. It fails when they have different nodes, and then chooses channels alone.
// Nodes of a channel that it does not describe are all orderers, and the peers
// of the client's organization.
func (p *Profile) Select(channels []string) (Selection, error) {
	s := Selection{Channels: channels}
	if len(channels) == 0 {
		for _, c := range p.Channels {
			if c.Name != template {
				s.Channels = append(s.Channels, c.Name)
			}
		}
	}
	var first *Channel
	for _, name := range s.Channels {
		i := slices.IndexFunc(p.Channels, func(c Channel) bool { return c.Name == name })
		if i < 0 {
			i = slices.IndexFunc(p.Channels, func(c Channel) bool { return c.Name == template })
		}
		if i < 0 {
			continue
		}
		c := &p.Channels[i]
		if first == nil {
			first = c
			continue
		}
		if !sameNames(first.Peers, c.Peers) || !sameNames(first.Orderers, c.Orderers) {
			return Selection{Channels: s.Channels}, fmt.Errorf("channels %s and %s have different nodes in the profile: record them one by one, or name the nodes", first.Name, c.Name)
		}
	}
	var orderers, peers []string
	if first != nil {
		orderers, peers = first.Orderers, first.Peers
	} else if org := p.organization(); org != nil {
		peers = org.Peers
	}
	s.Orderers, s.Peers = choose(p.Orderers, orderers), choose(p.Peers, peers)
	return s, nil
}

func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// choose gives the named ones, in the order of the names; all of them for nil.
func choose(all []Node, names []string) (some []Node) {
	if names == nil {
		return slices.Clone(all)
	}
	for _, name := range names {
		if n := find(all, name); n != nil {
			some = append(some, *n)
		}
	}
	return some
}

// Orderer gives the orderer of this name, and Peer the peer; ok is false if there is
// none.
func (p *Profile) Orderer(name string) (n Node, ok bool) { return named(p.Orderers, name) }

// Peer is like Orderer.
func (p *Profile) Peer(name string) (n Node, ok bool) { return named(p.Peers, name) }

func named(all []Node, name string) (Node, bool) {
	if n := find(all, name); n != nil {
		return *n, true
	}
	return Node{}, false
}

// Endpoint reads what it takes to connect to a node.
func (p *Profile) Endpoint(n Node) (deliver.Endpoint, error) {
	if !n.TLS {
		return deliver.Endpoint{Address: n.Address}, nil
	}
	ends := &tls.Config{ServerName: n.ServerName}
	if !n.Roots.IsZero() {
		roots, err := p.read(n.Roots)
		if err != nil {
			return deliver.Endpoint{}, err
		}
		ends.RootCAs = x509.NewCertPool()
		if !ends.RootCAs.AppendCertsFromPEM(roots) {
			return deliver.Endpoint{}, &Error{Path: n.Roots.Field, Err: errors.New("no PEM certificate")}
		}
	}
	if !p.ClientCert.IsZero() || !p.ClientKey.IsZero() {
		cert, err := p.read(p.ClientCert)
		if err != nil {
			return deliver.Endpoint{}, err
		}
		key, err := p.read(p.ClientKey)
		if err != nil {
			return deliver.Endpoint{}, err
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return deliver.Endpoint{}, &Error{Path: p.ClientCert.Field, Err: err}
		}
		ends.Certificates = []tls.Certificate{pair}
	}
	return deliver.Endpoint{Address: n.Address, TLS: ends}, nil
}

// MSPID is that of the client's organization; empty if the profile has none.
func (p *Profile) MSPID() string {
	if org := p.organization(); org != nil {
		return org.MSPID
	}
	return ""
}

// Identity reads the identity of the client's organization; nil if the profile has none.
// A mspID that is not empty stands for the profile's.
func (p *Profile) Identity(mspID string) (*identity.Identity, error) {
	org := p.organization()
	if org == nil || org.Cert.IsZero() && org.Key.IsZero() {
		return nil, nil
	}
	if mspID == "" {
		mspID = org.MSPID
	}
	cert, err := p.read(org.Cert)
	if err != nil {
		return nil, err
	}
	keyPEM, err := p.read(org.Key)
	if err != nil {
		return nil, err
	}
	key, err := identity.ParseKey(keyPEM)
	if err != nil {
		return nil, &Error{Path: org.Key.Field, Err: err}
	}
	id, err := identity.New(mspID, cert, key)
	if err != nil {
		return nil, &Error{Path: "organizations[" + org.Name + "]", Err: err}
	}
	return id, nil
}

// read gives the PEM of a Material.
func (p *Profile) read(m Material) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, &Error{Path: m.Field, Err: err} }
	if m.PEM != "" {
		return []byte(m.PEM), nil
	}
	if m.Path == "" {
		return fail(errors.New("it has neither pem nor path"))
	}
	path, err := expand(m.Path)
	if err != nil {
		return fail(err)
	}
	if !filepath.IsAbs(path) {
		beside := filepath.Join(p.dir, path)
		if _, err := os.Stat(beside); err == nil {
			path = beside
		}
	}
	data, err := readFile(path, maxPEM)
	if err != nil {
		return fail(err)
	}
	return data, nil
}

// expand puts in the environment's variables.
func expand(path string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(path, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		v, set := os.LookupEnv(name)
		if !closed || !set {
			return "", fmt.Errorf("path %q: no variable %q in the environment", path, name)
		}
		out.WriteString(v)
		path = after
	}
}
