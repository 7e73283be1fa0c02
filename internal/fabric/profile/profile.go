package profile

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Profile is what a connection profile says of a network. Everything stands in the
// order of the document.
type Profile struct {
	// Client is the name of the client's organization, or empty.
	Client        string
	Organizations []Organization
	Orderers      []Node
	Peers         []Node
	Channels      []Channel
	// ClientCert and ClientKey are the client's end of mutual TLS.
	ClientCert, ClientKey Material

	dir string
}

// Node is an orderer or a peer.
type Node struct {
	Name string
	// Address is host:port.
	Address string
	TLS     bool
	// Roots are the TLS CAs of the node's certificate, and ServerName the name in it;
	// empty: the address's.
	Roots      Material
	ServerName string
}

// Organization is a member of the network.
type Organization struct {
	Name, MSPID string
	Peers       []string
	// Cert and Key are an identity of it.
	Cert, Key Material
}

// Channel is a channel with the nodes that serve it.
type Channel struct {
	Name            string
	Orderers, Peers []string
}

// Material is certificates or a key, PEM: here, or in a file.
type Material struct {
	PEM, Path string
	// Field is where it stands in the profile.
	Field string
}

// IsZero reports whether there is none.
func (m Material) IsZero() bool { return m.PEM == "" && m.Path == "" }

// Load reads a profile.
func Load(path string) (*Profile, error) {
	data, err := readFile(path, maxBytes)
	if err != nil {
		return nil, err
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("connection profile %s: %w", path, err)
	}
	p.dir = filepath.Dir(path)
	return p, nil
}

// Parse reads a profile that is in memory; the paths in it are relative to the working
// directory. Errors are *Error.
func Parse(data []byte) (*Profile, error) {
	root, err := open(data)
	if err != nil {
		return nil, err
	}
	p := &Profile{Client: root.field("client").field("organization").text(maxText)}
	ends := root.field("client").field("tlsCerts").field("client")
	p.ClientCert, p.ClientKey = material(ends.field("cert")), material(ends.field("key"))
	p.Orderers, p.Peers = nodes(root.field("orderers")), nodes(root.field("peers"))
	for _, o := range root.field("organizations").entries() {
		p.Organizations = append(p.Organizations, Organization{
			Name: o.name, MSPID: o.field("mspid").text(maxText), Peers: texts(o.field("peers")),
			Cert: material(o.field("signedCert")), Key: material(o.field("adminPrivateKey")),
		})
	}
	for _, c := range root.field("channels").entries() {
		p.Channels = append(p.Channels, Channel{Name: c.name, Orderers: texts(c.field("orderers")), Peers: eventSources(c.field("peers"))})
	}
	p.check(root)
	if root.doc.err != nil {
		return nil, root.doc.err
	}
	return p, nil
}

func nodes(v value) (all []Node) {
	for _, e := range v.entries() {
		n := Node{Name: e.name}
		options := e.field("grpcOptions")
		for _, name := range []string{"ssl-target-name-override", "hostnameOverride", "grpc.ssl_target_name_override"} {
			if n.ServerName == "" {
				n.ServerName = options.field(name).text(maxText)
			}
		}
		n.Roots = material(e.field("tlsCACerts"))
		at := e.field("url")
		var err error
		if n.Address, n.TLS, err = parseURL(at.text(maxText), !options.field("allow-insecure").bool(false)); err != nil {
			at.fail("%w", err)
		}
		all = append(all, n)
	}
	return all
}

// parseURL reads grpcs://host:port; tls is what goes without a scheme.
func parseURL(text string, tls bool) (address string, _ bool, err error) {
	const form = "want grpcs://HOST:PORT"
	if text == "" {
		return "", false, errors.New("there is none: " + form)
	}
	address = text
	if strings.Contains(text, "://") {
		u, err := url.Parse(text)
		if err != nil || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
			return "", false, fmt.Errorf("%q: %s", text, form)
		}
		switch u.Scheme {
		case "grpcs":
			tls = true
		case "grpc":
			tls = false
		default:
			return "", false, fmt.Errorf("%q: %s, or grpc:// without TLS", text, form)
		}
		address = u.Host
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", false, fmt.Errorf("%q: %s", text, form)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return "", false, fmt.Errorf("%q: %s", text, form)
	}
	return address, tls, nil
}

// material reads {pem: …} or {path: …}; a pem may be a list.
func material(v value) Material {
	m := Material{Path: v.field("path").text(maxText), Field: v.path}
	if list := v.field("pem"); list.isList() {
		for _, one := range list.items() {
			m.PEM += strings.TrimRight(one.text(maxPEM), "\n") + "\n"
		}
	} else {
		m.PEM = list.text(maxPEM)
	}
	if len(m.PEM) > maxPEM {
		v.fail("the certificates have more than %d bytes", maxPEM)
	}
	return m
}

func texts(v value) (all []string) {
	for _, item := range v.items() {
		all = append(all, item.text(maxText))
	}
	return all
}

// eventSources are the peers of a channel, names with what they are for, or a list; nil
// if the channel does not list its peers.
func eventSources(v value) (all []string) {
	if v.node == nil {
		return nil
	}
	if v.isList() {
		return texts(v)
	}
	all = []string{}
	for _, e := range v.entries() {
		if e.field("eventSource").bool(true) {
			all = append(all, e.name)
		}
	}
	return all
}

// check fails if a name is not described.
func (p *Profile) check(root value) {
	known := func(where string, all []Node, names []string) {
		for _, name := range names {
			if find(all, name) == nil {
				value{doc: root.doc, path: where}.fail("%q is not described in the profile", name)
			}
		}
	}
	for _, c := range p.Channels {
		known("channels["+c.Name+"].orderers", p.Orderers, c.Orderers)
		known("channels["+c.Name+"].peers", p.Peers, c.Peers)
	}
	if p.Client != "" && p.organization() == nil {
		value{doc: root.doc, path: "client.organization"}.fail("%q is not described in the profile", p.Client)
	}
}

func find(all []Node, name string) *Node {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

func (p *Profile) organization() *Organization {
	for i := range p.Organizations {
		if p.Organizations[i].Name == p.Client {
			return &p.Organizations[i]
		}
	}
	return nil
}

func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no file", path))
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return data, err
}
