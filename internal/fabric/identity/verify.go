package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
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
	// half of the key's order, in bytes: the largest s that Fabric accepts.
	half []byte
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
	return &Principal{MSPID: m.Mspid, Certificate: cert, key: key, half: new(big.Int).Rsh(key.Params().N, 1).Bytes()}, nil
}

// Verify checks the principal's signature over a message; it fails with ErrSignature.
// The parts of the message are taken as if they stood in one piece.
func (p *Principal) Verify(sig []byte, message ...[]byte) error {
	s, ok := scalarS(sig)
	if !ok {
		return fmt.Errorf("%w: not an ASN.1 sequence of two integers", ErrSignature)
	}
	if len(s) > len(p.half) || len(s) == len(p.half) && bytes.Compare(s, p.half) > 0 {
		return fmt.Errorf("%w: s is not in the lower half of the order (low S)", ErrSignature)
	}
	h := sha256.New()
	for _, part := range message {
		h.Write(part)
	}
	var sum [sha256.Size]byte
	if !ecdsa.VerifyASN1(p.key, h.Sum(sum[:0]), sig) {
		return fmt.Errorf("%w: not by the key of %s", ErrSignature, p.Certificate.Subject)
	}
	return nil
}

// scalarS finds s in a signature, without leading zeros. It need not be strict: what is not
// DER is found when the signature is verified. A reflecting decoder takes 3 % of the time
// of a verification.
func scalarS(sig []byte) (s []byte, ok bool) {
	const sequence, integer = 0x30, 0x02
	body, rest, ok := element(sig, sequence)
	if !ok || len(rest) > 0 {
		return nil, false
	}
	if _, body, ok = element(body, integer); !ok {
		return nil, false
	}
	s, rest, ok = element(body, integer)
	return bytes.TrimLeft(s, "\x00"), ok && len(rest) == 0
}

// element takes a DER element of up to 255 bytes off b.
func element(b []byte, tag byte) (content, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, nil, false
	}
	size, b := int(b[1]), b[2:]
	if size == 0x81 && len(b) > 0 {
		size, b = int(b[0]), b[1:]
	} else if size >= 0x80 {
		return nil, nil, false
	}
	if size > len(b) {
		return nil, nil, false
	}
	return b[:size], b[size:], true
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
