package profile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric/pki"
)

// full is a profile with all that is read of one, and some that is not.
const full = `
name: net
version: 1.0.0
client:
  organization: Org1
  connection: {timeout: {peer: {endorser: "300"}}}
channels:
  ch1:
    orderers: [orderer2.example.com, orderer.example.com]
    peers:
      peer0.org1.example.com: {endorsingPeer: true, eventSource: true}
      peer1.org1.example.com: {eventSource: false}
      peer0.org2.example.com: {}
  ch2:
    orderers: [orderer.example.com, orderer2.example.com]
    peers: [peer0.org2.example.com, peer0.org1.example.com]
  ch3:
    peers: [peer0.org2.example.com]
organizations:
  Org1:
    mspid: Org1MSP
    peers: [peer0.org1.example.com, peer1.org1.example.com]
    certificateAuthorities: [ca.org1.example.com]
  Org2: {mspid: Org2MSP}
orderers:
  orderer.example.com:
    url: grpcs://localhost:7050
    grpcOptions: {ssl-target-name-override: orderer.example.com, grpc-max-send-message-length: 4000000}
    tlsCACerts: {path: orderer-ca.pem}
  orderer2.example.com:
    url: grpc://[::1]:7050
peers:
  peer0.org1.example.com:
    url: grpcs://localhost:7051
    grpcOptions: {hostnameOverride: peer0.org1.example.com}
    tlsCACerts: {pem: [A, B]}
  peer1.org1.example.com:
    url: localhost:8051
  peer0.org2.example.com:
    url: localhost:9051
    grpcOptions: {allow-insecure: true}
certificateAuthorities:
  ca.org1.example.com: {url: "https://localhost:7054", registrar: [&anything {a: 1}, *anything]}
`

func parse(t testing.TB, text string) *Profile {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func names(nodes []Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return strings.Join(all, " ")
}

func TestParse(t *testing.T) {
	p := parse(t, full)
	if p.Client != "Org1" || p.MSPID() != "Org1MSP" || len(p.Channels) != 3 || len(p.Organizations) != 2 {
		t.Errorf("%+v", p)
	}
	for name, want := range map[string]Node{
		"orderer.example.com": {Address: "localhost:7050", TLS: true, ServerName: "orderer.example.com",
			Roots: Material{Path: "orderer-ca.pem", Field: "orderers[orderer.example.com].tlsCACerts"}},
		"orderer2.example.com": {Address: "[::1]:7050", Roots: Material{Field: "orderers[orderer2.example.com].tlsCACerts"}},
		"peer0.org1.example.com": {Address: "localhost:7051", TLS: true, ServerName: "peer0.org1.example.com",
			Roots: Material{PEM: "A\nB\n", Field: "peers[peer0.org1.example.com].tlsCACerts"}},
		"peer1.org1.example.com": {Address: "localhost:8051", TLS: true, Roots: Material{Field: "peers[peer1.org1.example.com].tlsCACerts"}},
		"peer0.org2.example.com": {Address: "localhost:9051", Roots: Material{Field: "peers[peer0.org2.example.com].tlsCACerts"}},
	} {
		want.Name = name
		got, ok := p.Orderer(name)
		if !ok {
			got, ok = p.Peer(name)
		}
		if !ok || got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

func TestSelect(t *testing.T) {
	p := parse(t, full)
	for _, c := range []struct{ channels, orderers, peers, err string }{
		{"ch1", "orderer2.example.com orderer.example.com", "peer0.org1.example.com peer0.org2.example.com", ""},
		{"ch1 ch2", "orderer2.example.com orderer.example.com", "peer0.org1.example.com peer0.org2.example.com", ""},
		{"ch2 ch9", "orderer.example.com orderer2.example.com", "peer0.org2.example.com peer0.org1.example.com", ""},
		{"ch3", "orderer.example.com orderer2.example.com", "peer0.org2.example.com", ""},
		{"ch9", "orderer.example.com orderer2.example.com", "peer0.org1.example.com peer1.org1.example.com", ""},
		{"", "", "", "channels ch1 and ch3 have different nodes"},
	} {
		s, err := p.Select(strings.Fields(c.channels))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.channels, err)
			}
			continue
		}
		if err != nil || names(s.Orderers) != c.orderers || names(s.Peers) != c.peers {
			t.Errorf("%s: %s; %s; %v", c.channels, names(s.Orderers), names(s.Peers), err)
		}
	}
	s, err := parse(t, "channels: {a: {}, b: {}, _default: {}}").Select(nil)
	if err != nil || strings.Join(s.Channels, " ") != "a b" {
		t.Errorf("%v, %v", s.Channels, err)
	}
	s, err = parse(t, "channels: {a: {peers: {p: {eventSource: false}}}}\npeers: {p: {url: grpc://h:1}}").Select(nil)
	if err != nil || len(s.Peers) != 0 {
		t.Errorf("peers without events: %v, %v", s.Peers, err)
	}
}

func TestMistakes(t *testing.T) {
	deep := "peers: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'z'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "]\n"
	}
	wide := "x: &x [" + strings.Repeat("p,", 1000) + "]\norganizations:\n"
	for i := range 1000 {
		wide += "  o" + strings.Repeat("i", i%50) + string(rune('a'+i%26)) + strings.Repeat("j", i/50) + ": {peers: *x}\n"
	}
	for name, c := range map[string]struct{ text, path, want string }{
		"empty":          {"", "", "is empty"},
		"not YAML":       {"a: [", "", "neither YAML nor JSON"},
		"a list":         {"- a", "", "want names with values, found a list"},
		"large":          {strings.Repeat(" ", maxBytes+1), "", "more than 4194304 bytes"},
		"deep":           {deep, "", "neither YAML nor JSON"},
		"alias bomb":     {bomb + "peers: *y\n", "peers", "found a list"},
		"wide aliases":   {wide, "", "more than 131072 values"},
		"itself":         {"peers: &p {a: *p}", "peers[a].url", "there is none"},
		"no url":         {"peers:\n  p: {}", "peers[p].url", "want grpcs://HOST:PORT"},
		"https":          {"orderers:\n  o:\n    url: https://h:1", "orderers[o].url", `"https://h:1": want grpcs://`},
		"no port":        {"orderers:\n  o:\n    url: grpcs://h", "orderers[o].url", "HOST:PORT"},
		"port 0":         {"orderers:\n  o:\n    url: grpcs://h:0", "orderers[o].url", "HOST:PORT"},
		"password":       {"orderers:\n  o:\n    url: grpcs://me:pw@h:1", "orderers[o].url", "HOST:PORT"},
		"url is a list":  {"orderers:\n  o:\n    url: [1]", "orderers[o].url", "want a text, found a list"},
		"twice":          {"peers: {p: {url: grpc://h:1}, p: {url: grpc://h:2}}", "peers", `"p" is there twice`},
		"merge":          {"x: &x {url: grpc://h:1}\npeers: {p: {<<: *x}}", "peers[p]", "merges (<<)"},
		"unknown peer":   {"channels: {c: {peers: {q: {}}}}", "channels[c].peers", `"q" is not described`},
		"unknown client": {"client: {organization: O}", "client.organization", `"O" is not described`},
		"bool":           {"channels: {c: {peers: {q: {eventSource: maybe}}}}", "channels[c].peers[q].eventSource", "neither true nor false"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			var at *Error
			if !errors.As(err, &at) || c.path != "" && at.Path != c.path || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
	_, err := Parse([]byte("peers:\n  p:\n    url: 7"))
	var at *Error
	if !errors.As(err, &at) || at.Line != 3 {
		t.Errorf("%v", err)
	}
}

// TestFiles loads a JSON profile with tabs, as the generators of Fabric's samples write
// it, whose certificates are in files beside it, in the environment's directory, and in it.
func TestFiles(t *testing.T) {
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		t.Fatal(err)
	}
	admin, err := org.Member("admin", "admin")
	if err != nil {
		t.Fatal(err)
	}
	client, err := org.ClientTLS("client")
	if err != nil {
		t.Fatal(err)
	}
	dir, other := t.TempDir(), t.TempDir()
	t.Setenv("CRYPTO", other)
	write := func(path string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "tls-ca.pem"), org.TLSCA.PEM())
	write(filepath.Join(other, "key.pem"), admin.Keys.KeyPEM)
	write(filepath.Join(other, "tls.crt"), client.CertPEM)
	write(filepath.Join(other, "tls.key"), client.KeyPEM)
	text := `{
	"client": {"organization": "Org1", "tlsCerts": {"client": {"cert": {"path": "${CRYPTO}/tls.crt"}, "key": {"path": "${CRYPTO}/tls.key"}}}},
	"organizations": {
		"Org1": {"mspid": "Org1MSP", "peers": ["p"],
			"signedCert": {"pem": "` + strings.ReplaceAll(string(admin.Keys.CertPEM), "\n", `\n`) + `"},
			"adminPrivateKey": {"path": "${CRYPTO}/key.pem"}}
	},
	"peers": {"p": {"url": "grpcs:\/\/localhost:7051", "tlsCACerts": {"path": "tls-ca.pem"}}}
}`
	path := filepath.Join(dir, "connection.json")
	write(path, []byte(text))
	p, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.Identity("")
	if err != nil || id.MSPID != "Org1MSP" || !bytes.Equal(id.Serialize(), admin.Serialize()) {
		t.Fatalf("identity %+v: %v", id, err)
	}
	ep, err := p.Endpoint(p.Peers[0])
	if err != nil || ep.Address != "localhost:7051" || !ep.TLS.RootCAs.Equal(org.TLSCA.Pool()) || len(ep.TLS.Certificates) == 0 {
		t.Errorf("endpoint %+v: %v", ep, err)
	}

	for name, c := range map[string]struct{ old, new, want string }{
		"no file":      {"tls-ca.pem", "none.pem", "peers[p].tlsCACerts: open none.pem"},
		"no variable":  {"${CRYPTO}/key.pem", "${NO_SUCH_DIR}/key.pem", `organizations[Org1].adminPrivateKey: path "${NO_SUCH_DIR}/key.pem": no variable "NO_SUCH_DIR"`},
		"not a key":    {"${CRYPTO}/key.pem", "tls-ca.pem", "organizations[Org1].adminPrivateKey: no PEM private key"},
		"another key":  {"${CRYPTO}/key.pem", "${CRYPTO}/tls.key", "the private key does not belong to it"},
		"no certs":     {"tls-ca.pem", "connection.json", "peers[p].tlsCACerts: no PEM certificate"},
		"no key":       {`"key": {"path": "${CRYPTO}/tls.key"}`, `"key": {}`, "client.tlsCerts.client.key: it has neither pem nor path"},
		"wrong key":    {"${CRYPTO}/tls.key", "${CRYPTO}/key.pem", "client.tlsCerts.client.cert: tls: private key does not match"},
		"a directory":  {"tls-ca.pem", "${CRYPTO}", "is no file"},
		"not a member": {`"mspid": "Org1MSP", `, ``, "an identity needs the id of its MSP"},
	} {
		write(path, []byte(strings.Replace(text, c.old, c.new, 1)))
		p, err := Load(path)
		if err == nil {
			_, err = p.Identity("")
			if err == nil {
				_, err = p.Endpoint(p.Peers[0])
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"peers": {"p": {"url": "grpcs://h:1", "tlsCACerts": {"pem": ["x"]}}}}`))
	f.Add([]byte("a: &a [*a]\npeers: *a"))
	f.Add([]byte("peers: &p {a: *p}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			var at *Error
			if !errors.As(err, &at) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		s, err := p.Select(nil)
		if err != nil {
			return
		}
		for _, n := range append(s.Orderers, s.Peers...) {
			if n.Address == "" {
				t.Fatalf("%q has no address", n.Name)
			}
		}
	})
}
