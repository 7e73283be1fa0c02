package identity

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	msppb "github.com/blockreel/blockreel/internal/fabric/proto/msp"
)

// ErrSignature: the signature is not that identity's over that message, or not in the
// form that Fabric accepts.
var ErrSignature = errors.New("bad signature")

// Principal is somebody else's identity.
type Principal struct {
	MSPID       string
	Certificate *x509.Certificate

	key *ecdsa.PublicKey
}

// Parse reads a marshalled msp.SerializedIdentity.
func Parse(serialized []byte) (*Principal, error) {
	var m msppb.SerializedIdentity
	if err := proto.Unmarshal(serialized, &m); err != nil {
		return nil, fmt.Errorf("serialized identity: %w", err)
	}
	if m.Mspid == "" {
		return nil, errors.New("serialized identity: no MSP id")
	}
	cert, err := parseCertificate(m.IdBytes)
	if err != nil {
		return nil, fmt.Errorf("serialized identity of %q: %w", m.Mspid, err)
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("serialized identity of %q: a %T, not an ECDSA key", m.Mspid, cert.PublicKey)
	}
	return &Principal{MSPID: m.Mspid, Certificate: cert, key: key}, nil
}

// Verify checks the principal's signature over a message; it fails with ErrSignature.
// The parts of the message are taken as if they stood in one piece.
func (p *Principal) Verify(sig []byte, message ...[]byte) error {
	var parsed signature
	rest, err := asn1.Unmarshal(sig, &parsed)
	if err != nil || len(rest) > 0 {
		return fmt.Errorf("%w: not an ASN.1 sequence of two integers", ErrSignature)
	}
	if !isLow(p.key.Params().N, parsed.S) {
		return fmt.Errorf("%w: s is not in the lower half of the order (low S)", ErrSignature)
	}
	h := sha256.New()
	for _, part := range message {
		h.Write(part)
	}
	if !ecdsa.VerifyASN1(p.key, h.Sum(nil), sig) {
		return fmt.Errorf("%w: not by the key of %s", ErrSignature, p.Certificate.Subject)
	}
	return nil
}

// Trust says whose certificates to believe. The zero Trust believes every certificate
// that has not expired: a signature then proves a key, not a membership.
type Trust struct {
	// Roots by MSP id. Nil: any MSP, any issuer.
	Roots map[string]*x509.CertPool
}

// Check decides whether the principal may be believed at this time.
func (t Trust) Check(p *Principal, now time.Time) error {
	if now.After(p.Certificate.NotAfter) {
		return fmt.Errorf("certificate of %s has expired on %s", p.Certificate.Subject, p.Certificate.NotAfter.UTC().Format(time.DateOnly))
	}
	if t.Roots == nil {
		return nil
	}
	roots, ok := t.Roots[p.MSPID]
	if !ok {
		return fmt.Errorf("MSP %q is unknown here", p.MSPID)
	}
	_, err := p.Certificate.Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("certificate of %s: not of MSP %q: %w", p.Certificate.Subject, p.MSPID, err)
	}
	return nil
}
