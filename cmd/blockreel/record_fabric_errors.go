package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/recorder/fabricnet"
)

// mend adds to an error of the network the flag that may mend it, and the field of the
// connection profile if there was one.
func mend(err error, profiled bool) error {
	var node *fabricnet.NodeError
	if !errors.As(err, &node) {
		return err
	}
	ca, name := "--tlsRootCertFiles", "--peerTLSHostnameOverride"
	if node.Orderer {
		ca, name = "--cafile", "--ordererTLSHostnameOverride"
	}
	or := func(flag, field string) string {
		if !profiled {
			return flag
		}
		return flag + ", or in the connection profile with " + field
	}
	const certificate = "--clientauth, --certfile and --keyfile"
	var hostname x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var connect *deliver.ConnectError
	var service *deliver.ServiceError
	var ahead *fabricnet.AheadError
	hint := ""
	switch {
	case errors.As(err, &ahead):
		hint = "choose another block with --from, or wait for it with --wait"
	case errors.As(err, &service):
		hint = "is an address of --orderer and one of --peer in the other's place?"
	case errors.As(err, &hostname):
		hint = "give a name of the certificate with " + or(name, "ssl-target-name-override")
	case errors.As(err, &unknown):
		hint = "give the CA of the node's TLS certificate with " + or(ca, "the node's tlsCACerts")
	case errors.As(err, &invalid):
		hint = "the node needs a new TLS certificate"
	case errors.As(err, &record):
		hint = "leave out --tls, or give this node's address as grpc://HOST:PORT"
		if profiled {
			hint += ", also in the connection profile"
		}
	case deliver.HasStatus(err, commonpb.Status_FORBIDDEN):
		hint = "choose another identity with --msp and --mspid"
	case deliver.HasStatus(err, commonpb.Status_BAD_REQUEST):
		hint = "compare the clocks, and --certfile if the node wants mutual TLS"
	case deliver.NotFound(err):
		hint = "check --channel and --from, or wait for it with --wait"
	case errors.Is(err, deliver.ErrHangup):
		hint = "a certificate for mutual TLS is given with " + certificate
	case errors.As(err, &connect) && connect.Permanent:
		hint = "check " + ca + "; a certificate for mutual TLS is given with " + certificate
	case !deliver.Permanent(err) && errors.As(err, &connect):
		hint = "check the address and --tls, or wait for the node with --wait"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, hint)
}
