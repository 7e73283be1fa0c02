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

// mend adds to an error of the network the flag that may mend it.
func mend(err error) error {
	var node *fabricnet.NodeError
	if !errors.As(err, &node) {
		return err
	}
	ca, name := "--tlsRootCertFiles", "--peerTLSHostnameOverride"
	if node.Orderer {
		ca, name = "--cafile", "--ordererTLSHostnameOverride"
	}
	var hostname x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var connect *deliver.ConnectError
	hint := ""
	switch {
	case errors.As(err, &hostname):
		hint = "give a name of the certificate with " + name
	case errors.As(err, &unknown):
		hint = "give the CA of the node's TLS certificate with " + ca
	case errors.As(err, &invalid):
		hint = "the node needs a new TLS certificate"
	case errors.As(err, &record):
		hint = "leave out --tls"
	case deliver.HasStatus(err, commonpb.Status_FORBIDDEN):
		hint = "choose another identity with --msp and --mspid"
	case deliver.HasStatus(err, commonpb.Status_BAD_REQUEST):
		hint = "compare the clocks, and --certfile if the node wants mutual TLS"
	case deliver.HasStatus(err, commonpb.Status_NOT_FOUND):
		hint = "check --channel, or wait for it with --wait"
	case errors.Is(err, deliver.ErrHangup):
		hint = "check --certfile and --keyfile"
	case errors.As(err, &connect) && connect.Permanent:
		hint = "check " + ca + ", --certfile and --keyfile"
	case !deliver.Permanent(err) && errors.As(err, &connect):
		hint = "check the address and --tls, or wait for the node with --wait"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, hint)
}
