// Package fabrictest gives tests small Fabric networks on loopback: an organization with
// its blocks (org.go), ledgers that grow and nodes that serve them (node.go), a peer
// that pulls blocks, commits them and tells of it (peer.go), a proxy that cuts
// connections (proxy.go), and members of an MSP with any kind of key (signer.go). Only
// tests import it.
//
// Everything ends with the test that began it. What must happen has Patience to do so;
// nothing says how fast.
package fabrictest
