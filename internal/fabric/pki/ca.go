// Package pki makes the certificates of a network that lives as long as a run: an
// organization's certificate authorities, its members' signing identities, and the TLS
// certificates of its nodes. Keys are made at start and are worth nothing afterwards.
//
//  1. [NewOrg] makes an organization with two authorities, as Fabric's cryptogen does:
//     one for identities, one for TLS.
//  2. [Org.Member] issues a signing identity, [Org.ServerTLS] and [Org.ClientTLS] issue
//     TLS certificates.
//  3. [Org.WriteMSP] and [WriteTLS] lay them out as Fabric's tools expect them.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Lifetime is how long certificates are valid from now; they begin five minutes ago, for
// clients whose clocks are behind.
const (
	Lifetime = 365 * 24 * time.Hour
	backdate = 5 * time.Minute
)

// CA is a certificate authority with its key.
type CA struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// KeyPair is a certificate with its key.
type KeyPair struct {
	// Certificate and Key, PEM: the key as PKCS#8, as Fabric's tools write it.
	CertPEM, KeyPEM []byte
	Key             *ecdsa.PrivateKey
}

// TLS gives the pair as Go's TLS takes it.
func (p KeyPair) TLS() (tls.Certificate, error) { return tls.X509KeyPair(p.CertPEM, p.KeyPEM) }

// Request says what a certificate is for.
type Request struct {
	CommonName string
	// Unit is the certificate's OU: Fabric's roles are peer, orderer, client, admin.
	Unit string
	// Hosts are the names and IP addresses of a TLS server. Empty: not a server.
	Hosts []string
	// Client marks the certificate of a TLS client.
	Client bool
	// NotAfter ends the certificate. Zero: Lifetime from now.
	NotAfter time.Time
}

// NewCA makes an authority that signs itself.
func NewCA(commonName, organization string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a CA's key: %w", err)
	}
	template := template(commonName, organization, "", time.Now().Add(Lifetime))
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	template.SubjectKeyId = keyID(key)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make CA %s: %w", commonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make CA %s: %w", commonName, err)
	}
	return &CA{Certificate: cert, key: key}, nil
}

// PEM gives the authority's certificate.
func (ca *CA) PEM() []byte { return certPEM(ca.Certificate.Raw) }

// Pool gives the authority as the roots of a verification.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate)
	return pool
}

// Issue makes a key and certifies it.
func (ca *CA) Issue(r Request) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, fmt.Errorf("make the key of %s: %w", r.CommonName, err)
	}
	if r.NotAfter.IsZero() {
		r.NotAfter = time.Now().Add(Lifetime)
	}
	organization := ""
	if o := ca.Certificate.Subject.Organization; len(o) > 0 {
		organization = o[0]
	}
	template := template(r.CommonName, organization, r.Unit, r.NotAfter)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.AuthorityKeyId = ca.Certificate.SubjectKeyId
	for _, host := range r.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	if len(r.Hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if r.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, key.Public(), ca.key)
	if err != nil {
		return KeyPair{}, fmt.Errorf("certify %s: %w", r.CommonName, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return KeyPair{}, fmt.Errorf("certify %s: %w", r.CommonName, err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	return KeyPair{CertPEM: certPEM(der), KeyPEM: keyPEM, Key: key}, nil
}

func template(commonName, organization, unit string, notAfter time.Time) *x509.Certificate {
	subject := pkix.Name{CommonName: commonName, Organization: []string{organization}}
	if unit != "" {
		subject.OrganizationalUnit = []string{unit}
	}
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	notBefore := time.Now().Add(-backdate)
	if notAfter.Before(notBefore) {
		notBefore = notAfter.Add(-time.Hour)
	}
	return &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: notBefore, NotAfter: notAfter}
}

// keyID is Fabric's SKI: SHA-256 of the uncompressed point.
func keyID(key *ecdsa.PrivateKey) []byte {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		// The key has just been made on a named curve.
		panic(err)
	}
	sum := sha256.Sum256(point)
	return sum[:]
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
