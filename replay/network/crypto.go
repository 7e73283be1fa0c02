package network

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/pki"
)

// member is an organization with its one node and a user.
type member struct {
	org *pki.Org
	// name is the node's in this program, host its name in certificates.
	name, host string
	node, user *pki.Member
	tls        pki.KeyPair // the node's, as server and as client
	clientTLS  pki.KeyPair // the user's
}

func newMember(mspID, domain, name, host, role string, listen string) (*member, error) {
	org, err := pki.NewOrg(mspID, domain)
	if err != nil {
		return nil, err
	}
	m := &member{org: org, name: name, host: host}
	if m.node, err = org.Member(name, role); err != nil {
		return nil, err
	}
	if m.user, err = org.Member("User1", "client"); err != nil {
		return nil, err
	}
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if at, _, err := net.SplitHostPort(listen); err == nil && at != "" && !slices.Contains(hosts, at) {
		hosts = append(hosts, at)
	}
	if m.tls, err = org.ServerTLS(host, hosts...); err != nil {
		return nil, err
	}
	m.clientTLS, err = org.ClientTLS("User1." + domain)
	return m, err
}

// members makes the orderer's organization and the peers'.
func members(c *Config) (orderer *member, peers []*member, err error) {
	const domain = "example.com"
	if orderer, err = newMember("OrdererMSP", domain, ordererName, ordererName+"."+domain, "orderer", c.Listen.Orderer); err != nil {
		return nil, nil, err
	}
	for i := range c.Orgs {
		n := strconv.Itoa(i + 1)
		p, err := newMember("Org"+n+"MSP", "org"+n+"."+domain, peerName(i), peerName(i)+"."+domain, "peer", c.Listen.Peers[i])
		if err != nil {
			return nil, nil, err
		}
		peers = append(peers, p)
	}
	return orderer, peers, nil
}

// write lays out what a client of the node needs, and fills in where it is.
func (m *member) write(dir string, node *Node) error {
	node.MSPDir = filepath.Join(dir, "crypto", m.org.Domain, "msp")
	node.TLSDir = filepath.Join(dir, "crypto", m.org.Domain, "tls")
	if err := m.org.WriteMSP(node.MSPDir, m.user); err != nil {
		return fmt.Errorf("MSP directory: %w", err)
	}
	if err := m.org.WriteTLS(node.TLSDir, "client", m.clientTLS); err != nil {
		return fmt.Errorf("TLS directory: %w", err)
	}
	return nil
}

// trust is whom the nodes answer: every member.
type trust struct {
	identities identity.Trust
	clients    *x509.CertPool // nil without mutual TLS
}

func newTrust(c *Config, all ...*member) trust {
	var orgs []*pki.Org
	for _, m := range all {
		orgs = append(orgs, m.org)
	}
	t := trust{identities: pki.Trust(orgs...)}
	if c.MutualTLS {
		t.clients = pki.TLSRoots(orgs...)
	}
	return t
}

// endpoint is the orderer's as the peer dials it.
func endpoint(c *Config, orderer, peer *member, address string) (deliver.Endpoint, error) {
	t := &tls.Config{RootCAs: pki.TLSRoots(orderer.org), ServerName: orderer.host}
	if c.MutualTLS {
		pair, err := peer.tls.TLS()
		if err != nil {
			return deliver.Endpoint{}, err
		}
		t.Certificates = []tls.Certificate{{Certificate: pair.Certificate, PrivateKey: pair.PrivateKey}}
	}
	return deliver.Endpoint{Address: address, TLS: t}, nil
}
