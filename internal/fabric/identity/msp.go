package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// LoadMSP reads the signing identity of an MSP directory.
func LoadMSP(dir, mspID string) (*Identity, error) {
	certs, err := readPEMs(filepath.Join(dir, "signcerts"))
	if err != nil {
		return nil, fmt.Errorf("MSP directory %s: %w", dir, err)
	}
	var cert *x509.Certificate
	var certPEM []byte
	for _, file := range certs {
		if cert, err = parseCertificate(file.data); err == nil {
			certPEM = file.data
			break
		}
	}
	if cert == nil {
		return nil, fmt.Errorf("MSP directory %s: signcerts contains no certificate", dir)
	}
	key, err := findKey(filepath.Join(dir, "keystore"), cert)
	if err != nil {
		return nil, fmt.Errorf("MSP directory %s: %w", dir, err)
	}
	id, err := New(mspID, certPEM, key)
	if err != nil {
		return nil, fmt.Errorf("MSP directory %s: %w", dir, err)
	}
	return id, nil
}

// findKey gives the key that belongs to the certificate. A keystore may hold others:
// old ones, and files that are no keys.
func findKey(dir string, cert *x509.Certificate) (crypto.Signer, error) {
	files, err := readPEMs(dir)
	if err != nil {
		return nil, err
	}
	var others []error
	for _, file := range files {
		key, err := ParseKey(file.data)
		if err != nil {
			others = append(others, fmt.Errorf("%s: %w", file.name, err))
			continue
		}
		if isPair(cert, key) {
			return key, nil
		}
		others = append(others, fmt.Errorf("%s: another certificate's key", file.name))
	}
	return nil, errors.Join(append([]error{
		fmt.Errorf("keystore contains no key for the certificate of %s (keys in an HSM are not supported)", cert.Subject),
	}, others...)...)
}

// ParseKey reads a private key, PEM: ECDSA or Ed25519 as PKCS#8 ("PRIVATE KEY"), or ECDSA as
// SEC1 ("EC PRIVATE KEY", with or without its parameters before it).
func ParseKey(keyPEM []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(keyPEM); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "EC PRIVATE KEY":
			return x509.ParseECPrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			switch key := key.(type) {
			case *ecdsa.PrivateKey:
				return key, nil
			case ed25519.PrivateKey:
				return key, nil
			}
			return nil, fmt.Errorf("a %T: Fabric's MSP identities have ECDSA or Ed25519 keys", key)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the private key is encrypted; Fabric has no such keys: decrypt it first")
		}
	}
	return nil, errors.New("no PEM private key")
}

// LoadTLSRoots reads the TLS CA certificates of an MSP directory, and the intermediate ones if
// there are any.
func LoadTLSRoots(dir string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	files, err := readPEMs(filepath.Join(dir, "tlscacerts"))
	if err != nil {
		return nil, fmt.Errorf("MSP directory %s: %w", dir, err)
	}
	more, err := readPEMs(filepath.Join(dir, "tlsintermediatecerts"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("MSP directory %s: %w", dir, err)
	}
	found := false
	for _, file := range slices.Concat(files, more) {
		found = pool.AppendCertsFromPEM(file.data) || found
	}
	if !found {
		return nil, fmt.Errorf("MSP directory %s: tlscacerts contains no certificate", dir)
	}
	return pool, nil
}

type pemFile struct {
	name string
	data []byte
}

// maxPEM bounds what is read of a file in an MSP directory: certificates and keys are a
// few kB.
const maxPEM = 1 << 20

// readPEMs reads the files of a folder in the order of their names.
func readPEMs(dir string) ([]pemFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []pemFile
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		// Stat follows links: Kubernetes mounts secrets as links.
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || info.Size() > maxPEM {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, pemFile{entry.Name(), data})
	}
	return files, nil
}
