package fabrictest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	msppb "github.com/blockreel/blockreel/internal/fabric/proto/msp"
)

// Keys makes a key of every kind that Fabric verifies signatures with.
func Keys(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	keys := map[string]crypto.Signer{}
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[curve.Params().Name] = key
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys["Ed25519"] = key
	return keys
}

// Signer is a member of an MSP with a key of any kind. It certifies itself.
type Signer struct {
	key        crypto.Signer
	serialized []byte
}

// NewSigner makes a member.
func NewSigner(t testing.TB, mspID string, key crypto.Signer) *Signer {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "user"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	serialized, err := proto.Marshal(&msppb.SerializedIdentity{Mspid: mspID, IdBytes: certificate})
	if err != nil {
		t.Fatal(err)
	}
	return &Signer{key: key, serialized: serialized}
}

// Serialize gives a marshalled msp.SerializedIdentity.
func (s *Signer) Serialize() []byte { return s.serialized }

// Sign signs as Fabric does (msp/identities.go: Sign): with Ed25519 the message, with ECDSA its
// SHA-256 whatever the curve, and low S.
func (s *Signer) Sign(message []byte) ([]byte, error) {
	key, ok := s.key.(*ecdsa.PrivateKey)
	if !ok {
		return s.key.Sign(nil, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	der, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	if n := key.Params().N; new(big.Int).Lsh(sig.S, 1).Cmp(n) > 0 {
		sig.S.Sub(n, sig.S)
	}
	return asn1.Marshal(sig)
}
