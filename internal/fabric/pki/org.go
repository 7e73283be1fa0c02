package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	"github.com/blockreel/blockreel/internal/fabric/identity"
)

// Org is an organization of a Fabric network.
type Org struct {
	MSPID, Domain string
	// CA certifies identities, TLSCA the TLS ends.
	CA, TLSCA *CA
}

// Member is a signing identity of an organization.
type Member struct {
	*identity.Identity
	Keys KeyPair
}

// NewOrg makes an organization; domain stands in its certificates' names.
func NewOrg(mspID, domain string) (*Org, error) {
	ca, err := NewCA("ca."+domain, domain)
	if err != nil {
		return nil, err
	}
	tlsCA, err := NewCA("tlsca."+domain, domain)
	if err != nil {
		return nil, err
	}
	return &Org{MSPID: mspID, Domain: domain, CA: ca, TLSCA: tlsCA}, nil
}

// Member issues a signing identity; role is peer, orderer, client or admin.
func (o *Org) Member(name, role string) (*Member, error) {
	keys, err := o.CA.Issue(Request{CommonName: name + "." + o.Domain, Unit: role})
	if err != nil {
		return nil, err
	}
	id, err := identity.New(o.MSPID, keys.CertPEM, keys.Key)
	if err != nil {
		return nil, err
	}
	return &Member{Identity: id, Keys: keys}, nil
}

// ServerTLS issues a node's TLS certificate. It serves as a client's too, as Fabric's
// nodes use it when they connect to each other.
func (o *Org) ServerTLS(name string, hosts ...string) (KeyPair, error) {
	return o.TLSCA.Issue(Request{CommonName: name, Hosts: append([]string{name}, hosts...), Client: true})
}

// ClientTLS issues a TLS certificate for mutual TLS.
func (o *Org) ClientTLS(name string) (KeyPair, error) {
	return o.TLSCA.Issue(Request{CommonName: name, Client: true})
}

// Trust believes the identities of these organizations.
func Trust(orgs ...*Org) identity.Trust {
	roots := map[string]*x509.CertPool{}
	for _, org := range orgs {
		roots[org.MSPID] = org.CA.Pool()
	}
	return identity.Trust{Roots: roots}
}

// TLSRoots believes the TLS certificates of these organizations.
func TLSRoots(orgs ...*Org) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, org := range orgs {
		pool.AddCert(org.TLSCA.Certificate)
	}
	return pool
}

// ServerConfig is a node's end of TLS. clients is whose certificates it demands of its
// clients (mutual TLS); nil demands none.
func ServerConfig(keys KeyPair, clients *x509.CertPool) (*tls.Config, error) {
	cert, err := keys.TLS()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, clients
	}
	return config, nil
}

// nodeOUs is what tells Fabric's tools the roles from the certificates' units.
const nodeOUs = `NodeOUs:
  Enable: true
  ClientOUIdentifier: {Certificate: cacerts/%[1]s, OrganizationalUnitIdentifier: client}
  PeerOUIdentifier: {Certificate: cacerts/%[1]s, OrganizationalUnitIdentifier: peer}
  AdminOUIdentifier: {Certificate: cacerts/%[1]s, OrganizationalUnitIdentifier: admin}
  OrdererOUIdentifier: {Certificate: cacerts/%[1]s, OrganizationalUnitIdentifier: orderer}
`

// WriteMSP writes a member's MSP directory.
func (o *Org) WriteMSP(dir string, m *Member) error {
	caFile := "ca." + o.Domain + "-cert.pem"
	return writeFiles(dir, map[string][]byte{
		filepath.Join("signcerts", m.Certificate.Subject.CommonName+"-cert.pem"): m.Keys.CertPEM,
		filepath.Join("keystore", "priv_sk"):                                     m.Keys.KeyPEM,
		filepath.Join("cacerts", caFile):                                         o.CA.PEM(),
		filepath.Join("tlscacerts", "tlsca."+o.Domain+"-cert.pem"):               o.TLSCA.PEM(),
		"config.yaml": fmt.Appendf(nil, nodeOUs, caFile),
	})
}

// WriteTLS writes a TLS directory: ca.crt, and name.crt and name.key; Fabric's names are
// server and client.
func (o *Org) WriteTLS(dir, name string, keys KeyPair) error {
	return writeFiles(dir, map[string][]byte{
		"ca.crt": o.TLSCA.PEM(), name + ".crt": keys.CertPEM, name + ".key": keys.KeyPEM,
	})
}

// writeFiles makes the files for their owner alone: there are keys among them.
func writeFiles(dir string, files map[string][]byte) error {
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
