package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/pki"
)

func newOrg(t testing.TB, mspID string) *pki.Org {
	t.Helper()
	org, err := pki.NewOrg(mspID, strings.ToLower(mspID)+".example.com")
	if err != nil {
		t.Fatal(err)
	}
	return org
}

func member(t testing.TB, org *pki.Org) *pki.Member {
	t.Helper()
	m, err := org.Member("user", "client")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMSPDirectory reads back what pki writes, with keys in every form that Fabric's
// tools leave behind, among files that do not belong there.
func TestMSPDirectory(t *testing.T) {
	org := newOrg(t, "Org1MSP")
	m := member(t, org)
	sec1, err := x509.MarshalECPrivateKey(m.Keys.Key)
	if err != nil {
		t.Fatal(err)
	}
	sec1PEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}})
	other := member(t, org)
	for name, key := range map[string][]byte{
		"PKCS#8": m.Keys.KeyPEM, "SEC1": sec1PEM, "SEC1 with parameters, as openssl writes it": append(parameters, sec1PEM...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := org.WriteMSP(dir, m); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "keystore", "priv_sk"), key)
			write(t, filepath.Join(dir, "keystore", "another_sk"), other.Keys.KeyPEM)
			write(t, filepath.Join(dir, "keystore", "README"), []byte("not a key"))
			id, err := identity.LoadMSP(dir, "Org1MSP")
			if err != nil {
				t.Fatal(err)
			}
			p, err := identity.Parse(id.Serialize())
			if err != nil || p.MSPID != "Org1MSP" {
				t.Fatalf("%+v, %v", p, err)
			}
			sig, err := id.Sign([]byte("payload"))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Verify(sig, []byte("pay"), []byte("load")); err != nil {
				t.Error(err)
			}
			if err := (identity.Trust{Roots: map[string]*x509.CertPool{"Org1MSP": org.CA.Pool()}}).Check(p, time.Now()); err != nil {
				t.Error(err)
			}
			if _, err := identity.LoadTLSRoots(dir); err != nil {
				t.Error(err)
			}
		})
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestMSPDirectoryErrors(t *testing.T) {
	org := newOrg(t, "Org1MSP")
	m := member(t, org)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaDER, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rsaDER})
	for name, test := range map[string]struct {
		damage func(dir string)
		want   string
	}{
		"no directory":  {func(dir string) { os.RemoveAll(dir) }, "no such file"},
		"no keystore":   {func(dir string) { os.RemoveAll(filepath.Join(dir, "keystore")) }, "no such file"},
		"another's key": {func(dir string) { write(t, filepath.Join(dir, "keystore", "priv_sk"), member(t, org).Keys.KeyPEM) }, "priv_sk: another certificate's key"},
		"an RSA key":    {func(dir string) { write(t, filepath.Join(dir, "keystore", "priv_sk"), rsaPEM) }, "priv_sk: a *rsa.PrivateKey"},
		"no certificate": {func(dir string) {
			os.RemoveAll(filepath.Join(dir, "signcerts"))
			os.Mkdir(filepath.Join(dir, "signcerts"), 0o700)
		}, "signcerts contains no certificate"},
		"an empty keystore": {func(dir string) { os.Remove(filepath.Join(dir, "keystore", "priv_sk")) }, "keystore contains no key for the certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := org.WriteMSP(dir, m); err != nil {
				t.Fatal(err)
			}
			test.damage(dir)
			_, err := identity.LoadMSP(dir, "Org1MSP")
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := identity.New("", m.Keys.CertPEM, m.Keys.Key); err == nil {
		t.Error("an identity without an MSP id")
	}
}

// TestLowS signs often enough that half of ECDSA's signatures would have a high S.
func TestLowS(t *testing.T) {
	m := member(t, newOrg(t, "Org1MSP"))
	p, err := identity.Parse(m.Serialize())
	if err != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	message := []byte("message")
	for range 64 {
		sig, err := m.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(sig, &rs); err != nil {
			t.Fatal(err)
		}
		if new(big.Int).Lsh(rs.S, 1).Cmp(n) > 0 {
			t.Fatalf("s = %x is high", rs.S)
		}
		if err := p.Verify(sig, message); err != nil {
			t.Fatal(err)
		}
		// The same signature's other form is good ECDSA, and Fabric refuses it.
		rs.S.Sub(n, rs.S)
		high, err := asn1.Marshal(rs)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(high, message); !errors.Is(err, identity.ErrSignature) || !strings.Contains(err.Error(), "low S") {
			t.Fatalf("high S: %v", err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	org := newOrg(t, "Org1MSP")
	m, other := member(t, org), member(t, org)
	p, err := identity.Parse(m.Serialize())
	if err != nil {
		t.Fatal(err)
	}
	good, err := m.Sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	others, err := other.Sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	negative, err := asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(-1), big.NewInt(-1)})
	if err != nil {
		t.Fatal(err)
	}
	for name, sig := range map[string][]byte{
		"none": nil, "another's": others, "cut": good[:len(good)-1], "negative": negative,
	} {
		if err := p.Verify(sig, []byte("message")); !errors.Is(err, identity.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := p.Verify(good, []byte("another message")); !errors.Is(err, identity.ErrSignature) {
		t.Error("another message:", err)
	}
}

// The key may be of any kind that Fabric has. Whatever byte of a signature is another one, it is
// no signature.
func TestKeys(t *testing.T) {
	for kind, key := range fabrictest.Keys(t) {
		t.Run(kind, func(t *testing.T) {
			signer := fabrictest.NewSigner(t, "Org1MSP", key)
			p, err := identity.Parse(signer.Serialize())
			if err != nil {
				t.Fatal(err)
			}
			sig, err := signer.Sign([]byte("message"))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Verify(sig, []byte("mess"), []byte("age")); err != nil {
				t.Error(err)
			}
			digest := sha256.Sum256([]byte("message"))
			for _, other := range [][]byte{nil, []byte("messages"), digest[:]} {
				if err := p.Verify(sig, other); !errors.Is(err, identity.ErrSignature) {
					t.Errorf("%q: %v", other, err)
				}
			}
			for i := range sig {
				changed := bytes.Clone(sig)
				changed[i] ^= 1 << (i % 8)
				if err := p.Verify(changed, []byte("message")); !errors.Is(err, identity.ErrSignature) {
					t.Errorf("byte %d changed: %v", i, err)
				}
			}
		})
	}
}

// An MSP directory's key may be of any kind too; and the type of a certificate's PEM block is
// not looked at, as Fabric does not.
func TestLoadKeys(t *testing.T) {
	for kind, key := range fabrictest.Keys(t) {
		t.Run(kind, func(t *testing.T) {
			p, err := identity.Parse(fabrictest.NewSigner(t, "Org1MSP", key).Serialize())
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for path, block := range map[string]*pem.Block{
				"signcerts/cert.pem": {Type: "X509", Bytes: p.Certificate.Raw}, "keystore/priv_sk": {Type: "PRIVATE KEY", Bytes: der},
			} {
				if err := os.Mkdir(filepath.Join(dir, filepath.Dir(path)), 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, path), pem.EncodeToMemory(block))
			}
			id, err := identity.LoadMSP(dir, "Org1MSP")
			if err != nil {
				t.Fatal(err)
			}
			sig, err := id.Sign([]byte("message"))
			if err != nil {
				t.Fatal(err)
			}
			if p, err = identity.Parse(id.Serialize()); err != nil {
				t.Fatal(err)
			}
			if err := p.Verify(sig, []byte("message")); err != nil {
				t.Error(err)
			}
		})
	}
}

// Fabric reads signatures with encoding/asn1, which passes over what follows the two integers and
// what follows the sequence.
func TestTails(t *testing.T) {
	m := member(t, newOrg(t, "Org1MSP"))
	p, err := identity.Parse(m.Serialize())
	if err != nil {
		t.Fatal(err)
	}
	sig, err := m.Sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &rs); err != nil {
		t.Fatal(err)
	}
	within := func(tail []byte) []byte {
		der, err := asn1.Marshal(struct {
			R, S *big.Int
			Tail []byte
		}{rs.R, rs.S, tail})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for name, tailed := range map[string][]byte{
		"behind": append(bytes.Clone(sig), 0), "within": within(nil), "much within": within(make([]byte, 1000)),
	} {
		if err := p.Verify(tailed, []byte("message")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Verify(tailed, []byte("another")); !errors.Is(err, identity.ErrSignature) {
			t.Errorf("%s, another message: %v", name, err)
		}
	}
	rs.S.Sub(elliptic.P256().Params().N, rs.S)
	if err := p.Verify(within(nil), []byte("message")); !errors.Is(err, identity.ErrSignature) || !strings.Contains(err.Error(), "low S") {
		t.Errorf("high S: %v", err)
	}
}

func TestTrust(t *testing.T) {
	org, stranger := newOrg(t, "Org1MSP"), newOrg(t, "Org2MSP")
	trust := pki.Trust(org)
	now := time.Now()
	check := func(m *pki.Member, trust identity.Trust, now time.Time) error {
		p, err := identity.Parse(m.Serialize())
		if err != nil {
			t.Fatal(err)
		}
		return trust.Check(p, now)
	}
	if err := check(member(t, org), trust, now); err != nil {
		t.Error(err)
	}
	if err := check(member(t, stranger), trust, now); err == nil || !strings.Contains(err.Error(), `MSP "Org2MSP" is unknown`) {
		t.Error("unknown MSP:", err)
	}
	stranger.MSPID = "Org1MSP"
	if err := check(member(t, stranger), trust, now); err == nil || !strings.Contains(err.Error(), `not of MSP "Org1MSP"`) {
		t.Error("another CA's certificate:", err)
	}
	for _, trust := range []identity.Trust{{}, trust} {
		if err := check(member(t, org), trust, now.Add(2*pki.Lifetime)); err == nil || !strings.Contains(err.Error(), "has expired on ") {
			t.Error("expired:", err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := member(t, newOrg(t, "Org1MSP"))
	if _, err := identity.New("Org1MSP", m.Keys.CertPEM, key); err == nil {
		t.Error("a certificate with another's key")
	}
	for name, raw := range map[string][]byte{"nothing": nil, "no protobuf": {0xff}, "no certificate": {0x0a, 1, 'M', 0x12, 1, 'x'}} {
		if _, err := identity.Parse(raw); err == nil {
			t.Error(name)
		}
	}
}
