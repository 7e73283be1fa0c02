package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Fabric's defaults (internal/pkg/comm/config.go).
const (
	// MaxMessageBytes is the largest message in either direction.
	MaxMessageBytes = 100 << 20

	clientPingAfter   = time.Minute
	clientPingTimeout = 20 * time.Second
	connectTimeout    = 20 * time.Second
)

// Endpoint is a node to connect to.
type Endpoint struct {
	// Address is host:port.
	Address string
	// TLS of the connection. Nil: none. If it has no ServerName, the node's certificate must
	// have the address's host. Its first certificate is shown to a node that wants mutual TLS.
	TLS *tls.Config
}

// LoadTLS reads a client's end of TLS from PEM files: the CAs of the node's certificate, and a
// certificate with its key. Empty names are left out.
func LoadTLS(rootFile, certFile, keyFile, serverName string) (*tls.Config, error) {
	t := &tls.Config{ServerName: serverName}
	if rootFile != "" {
		data, err := os.ReadFile(rootFile)
		if err != nil {
			return nil, fmt.Errorf("TLS CA certificates: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("TLS CA certificates: %s contains no PEM certificate", rootFile)
		}
	}
	if (certFile == "") != (keyFile == "") {
		return nil, errors.New("mutual TLS needs both a client certificate and its key")
	}
	if certFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("TLS client certificate: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// ConnectError says why there is no connection to a node.
type ConnectError struct {
	Address string
	// Permanent: certificates or names are wrong; another try fails as well.
	Permanent bool
	// Err is the cause: a *net.OpError, an x509.HostnameError, …
	Err error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to %s: %v%s", e.Address, e.Err, e.hint())
}

func (e *ConnectError) Unwrap() error { return e.Err }

// hint says what to do about the usual causes.
func (e *ConnectError) hint() string {
	var hostname x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(e.Err, &hostname):
		return " (the TLS hostname override takes the name that the certificate has)"
	case errors.As(e.Err, &unknown):
		return " (the node's certificate is not from the given TLS CA: check the CA file)"
	case errors.As(e.Err, &invalid) && invalid.Reason == x509.Expired:
		return " (the node's TLS certificate, or this machine's clock)"
	case errors.As(e.Err, &record):
		return " (the node does not speak TLS on this port)"
	case errors.Is(e.Err, ErrHangup):
		return " (does it want mutual TLS, or another TLS client certificate?)"
	case isAlert(e.Err):
		return " (the node has refused the TLS client certificate: does it want mutual TLS?)"
	}
	return ""
}

// Conn is a connection to a node. It reconnects by itself when a new stream is opened
// after a loss; streams do not.
type Conn struct {
	address string
	grpc    *grpc.ClientConn
	// tlsCert is the client's TLS certificate, DER, if it has shown one.
	tlsCert []byte
	cause   *cause
}

// maxHangups is how often Dial tries again when the node hangs up right after the TLS
// handshake. With TLS 1.3 a node refuses a client's certificate only then, and its reason is
// lost when it closes the connection before it has read what the client had sent.
const maxHangups = 3

// Dial connects to a node and waits until the connection stands. It fails with a
// *ConnectError at the first try that fails, or when ctx ends.
func Dial(ctx context.Context, ep Endpoint) (*Conn, error) {
	for try := 1; ; try++ {
		conn, err := dial(ctx, ep)
		if err == nil || try == maxHangups || !errors.Is(err, ErrHangup) {
			return conn, err
		}
	}
}

func dial(ctx context.Context, ep Endpoint) (*Conn, error) {
	host, _, err := net.SplitHostPort(ep.Address)
	if err != nil {
		return nil, &ConnectError{Address: ep.Address, Permanent: true, Err: fmt.Errorf("not HOST:PORT: %w", err)}
	}
	conn := &Conn{address: ep.Address, cause: &cause{}}
	plain := insecure.NewCredentials()
	creds := plain
	if ep.TLS != nil {
		config := ep.TLS.Clone()
		config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
		if config.ServerName == "" {
			config.ServerName = host
		}
		if len(config.Certificates) > 0 {
			conn.tlsCert = config.Certificates[0].Certificate[0]
		}
		creds = &observedTLS{TransportCredentials: credentials.NewTLS(config), cause: conn.cause}
	}
	conn.grpc, err = grpc.NewClient("passthrough:///"+ep.Address,
		grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(conn.cause.dial),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: clientPingAfter, Timeout: clientPingTimeout, PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 10 * time.Second},
			MinConnectTimeout: connectTimeout,
		}),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(MaxMessageBytes), grpc.MaxCallSendMsgSize(MaxMessageBytes),
			grpc.ForceCodecV2(rawCodec{}),
		),
		grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		return nil, &ConnectError{Address: ep.Address, Permanent: true, Err: err}
	}
	if err := conn.wait(ctx); err != nil {
		conn.grpc.Close()
		return nil, err
	}
	return conn, nil
}

// wait returns when the connection stands or its first try has failed.
func (c *Conn) wait(ctx context.Context) error {
	c.grpc.Connect()
	for {
		switch state := c.grpc.GetState(); state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			return c.connectError(errors.New("the connection failed"))
		default:
			if !c.grpc.WaitForStateChange(ctx, state) {
				return c.connectError(ctx.Err())
			}
		}
	}
}

// connectError makes the error of a connection that is not there: its own cause, if one
// was seen, is better than what gRPC says.
func (c *Conn) connectError(err error) error {
	seen := c.cause.get()
	if seen == nil {
		return &ConnectError{Address: c.address, Err: err}
	}
	return &ConnectError{Address: c.address, Permanent: isTrust(seen), Err: seen}
}

// Address is the node's, as dialled.
func (c *Conn) Address() string { return c.address }

// Close ends the connection and its streams.
func (c *Conn) Close() error { return c.grpc.Close() }

// cause keeps the last error of connecting until a handshake succeeds: gRPC hands on no
// more than its text.
type cause struct {
	mu  sync.Mutex
	err error
}

func (c *cause) set(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *cause) get() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *cause) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		c.set(err)
	}
	return conn, err
}

// observedTLS keeps the errors of handshakes, and of the first reads after them: with
// TLS 1.3 a server refuses a client's certificate after the client's handshake is over.
type observedTLS struct {
	credentials.TransportCredentials
	cause *cause
}

func (o *observedTLS) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := o.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		o.cause.set(err)
		return nil, nil, err
	}
	o.cause.set(nil)
	return &observedConn{Conn: conn, cause: o.cause}, info, nil
}

func (o *observedTLS) Clone() credentials.TransportCredentials {
	return &observedTLS{TransportCredentials: o.TransportCredentials.Clone(), cause: o.cause}
}

type observedConn struct {
	net.Conn
	cause *cause
	read  atomic.Bool // something has come
}

// ErrHangup: the node has closed the connection after the TLS handshake, and said nothing.
var ErrHangup = errors.New("the node has hung up after the TLS handshake")

func (c *observedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.read.Store(true)
	}
	c.observe(err)
	return n, err
}

func (c *observedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.observe(err)
	return n, err
}

// observe keeps an alert, and the end of a connection on which nothing has come, unless an
// alert was seen before.
func (c *observedConn) observe(err error) {
	switch {
	case err == nil || errors.Is(err, net.ErrClosed):
	case isAlert(err):
		c.cause.set(err)
	case !c.read.Load() && !isAlert(c.cause.get()):
		c.cause.set(fmt.Errorf("%w: %w", ErrHangup, err))
	}
}

// isAlert reports a TLS alert from the other side.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// isTrust reports whether an error of connecting is about certificates. A name that DNS
// does not know is none: a container's name is gone while it restarts.
func isTrust(err error) bool {
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	if errors.As(err, &verification) || errors.As(err, &record) {
		return true
	}
	return isAlert(err) && !strings.Contains(err.Error(), "internal error")
}
