package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"google.golang.org/protobuf/proto"

	msppb "github.com/blockreel/blockreel/internal/fabric/proto/msp"
)

// NonceSize is the length of the nonces that Fabric's clients make.
const NonceSize = 24

// Identity is a member of an MSP with its private key.
type Identity struct {
	MSPID       string
	Certificate *x509.Certificate

	key        crypto.Signer
	serialized []byte
}

// New makes an identity of a PEM certificate and the key that belongs to it, ECDSA or Ed25519.
func New(mspID string, certPEM []byte, key crypto.Signer) (*Identity, error) {
	if mspID == "" {
		return nil, errors.New("an identity needs the id of its MSP (CORE_PEER_LOCALMSPID)")
	}
	cert, err := parseCertificate(certPEM)
	if err != nil {
		return nil, err
	}
	if !isPair(cert, key) {
		return nil, fmt.Errorf("certificate of %s: the private key does not belong to it", cert.Subject)
	}
	serialized, err := proto.Marshal(&msppb.SerializedIdentity{Mspid: mspID, IdBytes: certPEM})
	if err != nil {
		return nil, fmt.Errorf("serialize identity: %w", err)
	}
	return &Identity{MSPID: mspID, Certificate: cert, key: key, serialized: serialized}, nil
}

// Serialize gives the identity as a marshalled msp.SerializedIdentity: the creator of a
// signature header. It is not to be changed.
func (id *Identity) Serialize() []byte { return id.serialized }

// isPair: the private key is of a kind that Fabric signs with, and the certificate's.
func isPair(cert *x509.Certificate, key crypto.Signer) bool {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return key.PublicKey.Equal(cert.PublicKey)
	case ed25519.PrivateKey:
		return key.Public().(ed25519.PublicKey).Equal(cert.PublicKey)
	}
	return false
}

// Sign signs a message as Fabric does.
func (id *Identity) Sign(message []byte) ([]byte, error) {
	key, ok := id.key.(*ecdsa.PrivateKey)
	if !ok {
		return id.key.Sign(nil, message, crypto.Hash(0)) // Ed25519
	}
	digest := sha256.Sum256(message)
	der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", id.Certificate.Subject, err)
	}
	return lowS(key.Params().N, der)
}

type signature struct{ R, S *big.Int }

// lowS gives the one of a signature's two forms that Fabric accepts: s ≤ n/2.
func lowS(n *big.Int, der []byte) ([]byte, error) {
	var sig signature
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if isLow(n, sig.S) {
		return der, nil
	}
	sig.S.Sub(n, sig.S)
	return asn1.Marshal(sig)
}

func isLow(n, s *big.Int) bool { return s.Cmp(new(big.Int).Rsh(n, 1)) <= 0 }

// Nonce makes what a signature header needs to be unique.
func Nonce() []byte {
	nonce := make([]byte, NonceSize)
	// Never fails: crypto/rand ends the program rather than give bad numbers.
	_, _ = rand.Read(nonce)
	return nonce
}

func parseCertificate(certPEM []byte) (*x509.Certificate, error) {
	// As Fabric, which once wrote certificates without it, this does not look at the type.
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return nil, errors.New("no PEM certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return cert, nil
}
