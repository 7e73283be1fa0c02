package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
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

	// One of the two keys is set.
	ecdsa   *ecdsa.PublicKey
	ed25519 ed25519.PublicKey
	// half of the order of an ECDSA key, in bytes: the largest s that Fabric accepts.
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
	p := &Principal{MSPID: m.Mspid, Certificate: cert}
	switch key := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		p.ecdsa, p.half = key, new(big.Int).Rsh(key.Params().N, 1).Bytes()
	case ed25519.PublicKey:
		p.ed25519 = key
	default:
		return nil, fmt.Errorf("serialized identity of %q: a %T, not an ECDSA or Ed25519 key", m.Mspid, key)
	}
	return p, nil
}

// Verify checks the principal's signature over a message; it fails with ErrSignature.
// The parts of the message are taken as if they stood in one piece.
func (p *Principal) Verify(signature []byte, message ...[]byte) error {
	c := p.Claim(signature, message...)
	return c.Verify()
}

// Claim is a signature that is said to be a principal's, with what it is verified against. The
// zero Claim is nobody's.
type Claim struct {
	by        *Principal
	signature []byte
	// digest of the message. Ed25519 takes the message itself.
	digest  [sha256.Size]byte
	message [][]byte
}

// Claim is the first half of Verify: it goes through the message.
func (p *Principal) Claim(signature []byte, message ...[]byte) Claim {
	c := Claim{by: p, signature: signature}
	if p.ed25519 != nil {
		c.message = slices.Clone(message)
		return c
	}
	h := sha256.New()
	for _, part := range message {
		h.Write(part)
	}
	h.Sum(c.digest[:0])
	return c
}

// Verify is the second half, where the time goes.
func (c *Claim) Verify() error {
	p, good := c.by, false
	switch {
	case p == nil:
		return fmt.Errorf("%w: nobody's", ErrSignature)
	case p.ed25519 != nil:
		good = ed25519.Verify(p.ed25519, slices.Concat(c.message...), c.signature)
	default:
		sig, s, ok := scalarS(c.signature)
		if !ok {
			return fmt.Errorf("%w: not an ASN.1 sequence of two integers", ErrSignature)
		}
		if len(s) > len(p.half) || len(s) == len(p.half) && bytes.Compare(s, p.half) > 0 {
			return fmt.Errorf("%w: s is not in the lower half of the order (low S)", ErrSignature)
		}
		good = ecdsa.VerifyASN1(p.ecdsa, c.digest[:], sig)
	}
	if !good {
		return fmt.Errorf("%w: not by the key of %s", ErrSignature, p.Certificate.Subject)
	}
	return nil
}

// scalarS finds s in a signature, without leading zeros, and gives the signature as
// VerifyASN1 takes it. A reflecting decoder takes 3 % of the time of a verification: what
// it reads in another way than this one, it is asked for.
func scalarS(sig []byte) (strict, s []byte, ok bool) {
	const sequence, integer = 0x30, 0x02
	body, behind, ok := element(sig, sequence)
	if ok {
		_, body, ok = element(body, integer)
	}
	if ok {
		s, body, ok = element(body, integer)
	}
	if ok && len(body) == 0 && len(behind) == 0 {
		return sig, bytes.TrimLeft(s, "\x00"), true
	}
	// Fabric passes over bytes behind s, and behind the sequence.
	var read signature
	if _, err := asn1.Unmarshal(sig, &read); err != nil || read.R.Sign() <= 0 || read.S.Sign() <= 0 {
		return nil, nil, false
	}
	strict, err := asn1.Marshal(read)
	return strict, read.S.Bytes(), err == nil
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
