package fabrictest

import (
	"crypto/tls"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/mint"
	"github.com/blockreel/blockreel/internal/fabric/pki"
)

// Org is an organization with a user who may read its channels.
type Org struct {
	*pki.Org
	User *pki.Member
}

// NewOrg makes Org1MSP of org1.example.com.
func NewOrg(t testing.TB) *Org {
	t.Helper()
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		t.Fatal(err)
	}
	o := &Org{Org: org}
	o.User = o.Identity(t, "user", "client")
	return o
}

// Identity issues one to a member: "peer0" of role "peer" is peer0.org1.example.com.
func (o *Org) Identity(t testing.TB, name, role string) *pki.Member {
	t.Helper()
	m, err := o.Member(name, role)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Chain mints n blocks of two transactions and four writes, genesis first. blockBytes is
// how large they are about; 0: as they come.
func (o *Org) Chain(t testing.TB, channel string, n, blockBytes int) [][]byte {
	t.Helper()
	b, err := mint.New(mint.Config{Channel: channel, Client: o.User.Identity, Endorsers: []*identity.Identity{o.User.Identity}})
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := b.Genesis()
	if err != nil {
		t.Fatal(err)
	}
	blocks := [][]byte{genesis}
	for len(blocks) < n {
		block, err := b.Next(mint.Shape{Transactions: 2, Writes: 4, Bytes: blockBytes})
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, block)
	}
	return blocks
}

// Commit is what a peer makes of a block: every second transaction is invalid.
func Commit(t testing.TB, raw []byte) []byte {
	t.Helper()
	committed, err := commit(raw)
	if err != nil {
		t.Fatal(err)
	}
	return committed
}

func commit(raw []byte) ([]byte, error) {
	b, err := fabric.ParseBlock(raw)
	if err != nil {
		return nil, err
	}
	flags := make([]byte, b.Transactions)
	for i := 1; i < len(flags); i += 2 {
		flags[i] = 11 // MVCC_READ_CONFLICT
	}
	return b.Committed(flags, nil), nil
}

// ServerTLS is a node's end of TLS; mutual demands certificates of the organization.
func (o *Org) ServerTLS(t testing.TB, mutual bool, request pki.Request) *tls.Config {
	t.Helper()
	if request.CommonName == "" {
		request.CommonName = "node"
	}
	if request.Hosts == nil {
		request.Hosts = []string{"localhost", "127.0.0.1"}
	}
	keys, err := o.TLSCA.Issue(request)
	if err != nil {
		t.Fatal(err)
	}
	clients := o.TLSCA.Pool()
	if !mutual {
		clients = nil
	}
	config, err := pki.ServerConfig(keys, clients)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// Endpoint is how a client of the organization reaches a node that has this end of TLS.
func (o *Org) Endpoint(t testing.TB, address string, server *tls.Config) deliver.Endpoint {
	t.Helper()
	if server == nil {
		return deliver.Endpoint{Address: address}
	}
	ends := &tls.Config{RootCAs: o.TLSCA.Pool()}
	if server.ClientCAs != nil {
		keys, err := o.ClientTLS("client")
		if err != nil {
			t.Fatal(err)
		}
		pair, err := keys.TLS()
		if err != nil {
			t.Fatal(err)
		}
		ends.Certificates = []tls.Certificate{pair}
	}
	return deliver.Endpoint{Address: address, TLS: ends}
}
