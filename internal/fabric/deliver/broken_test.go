package deliver_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
)

// message frames a DeliverResponse as gRPC does: a flag, the length, the bytes.
func message(flag byte, length uint32, raw []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, length), raw...)
}

// TestBrokenAnswers reads from a server that speaks HTTP/2 but not as a Fabric node does:
// each ends with an error that tells what came, and with no block.
func TestBrokenAnswers(t *testing.T) {
	block := protowire.AppendBytes([]byte{2<<3 | 2}, sample(t)[0])
	grpcHead := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
	}
	for name, c := range map[string]struct {
		answer    http.HandlerFunc
		permanent bool
		want      string
	}{
		"cut within a message": {func(w http.ResponseWriter, _ *http.Request) {
			grpcHead(w)
			w.Write(message(0, uint32(len(block)), block[:len(block)/2]))
			w.Header().Set("Grpc-Status", "0")
		}, false, "unexpected EOF"},
		"cut within a length": {func(w http.ResponseWriter, _ *http.Request) {
			grpcHead(w)
			w.Write([]byte{0, 0, 0})
			w.Header().Set("Grpc-Status", "0")
		}, false, "unexpected EOF"},
		"a length beyond all limits": {func(w http.ResponseWriter, _ *http.Request) {
			grpcHead(w)
			w.Write(message(0, math.MaxUint32, block))
			w.Header().Set("Grpc-Status", "0")
		}, true, "larger than the limit of 100 MB"},
		"an unknown compression": {func(w http.ResponseWriter, _ *http.Request) {
			grpcHead(w)
			w.Header().Set("Grpc-Encoding", "lzma")
			w.Write(message(1, uint32(len(block)), block))
			w.Header().Set("Grpc-Status", "0")
		}, false, "lzma"},
		"no message": {func(w http.ResponseWriter, _ *http.Request) {
			grpcHead(w)
			w.Write(message(0, 3, []byte{0xff, 0xff, 0xff}))
			w.Header().Set("Grpc-Status", "0")
		}, false, "deliver response"},
		"no block": {func(w http.ResponseWriter, _ *http.Request) {
			grpcHead(w)
			w.Write(message(0, 4, []byte{2<<3 | 2, 2, 0xff, 0xff}))
			w.Header().Set("Grpc-Status", "0")
		}, false, "malformed"},
		"neither block nor status": {func(w http.ResponseWriter, _ *http.Request) {
			grpcHead(w)
			w.Write(message(0, 0, nil))
			w.Header().Set("Grpc-Status", "0")
		}, false, "neither block nor status"},
		"an end without a status": {func(w http.ResponseWriter, _ *http.Request) {
			grpcHead(w)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Grpc-Status", "0")
		}, false, "unexpected EOF"},
		"a web page": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html>welcome</html>")
		}, false, "text/html"},
		"a proxy's error": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no upstream", http.StatusBadGateway)
		}, false, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			web := httptest.NewUnstartedServer(c.answer)
			web.EnableHTTP2 = true
			web.StartTLS()
			defer web.Close()
			roots := x509.NewCertPool()
			roots.AddCert(web.Certificate())
			conn := dial(t, deliver.Endpoint{Address: web.Listener.Addr().String(), TLS: &tls.Config{RootCAs: roots}})
			defer conn.Close()
			stream := open(t, conn, deliver.Orderer, fabrictest.NewOrg(t).User, deliver.Seek{Channel: "ch1"})
			d, err := stream.Recv()
			if err == nil {
				t.Fatalf("block %d", d.Number())
			}
			if errors.Is(err, io.EOF) || deliver.Permanent(err) != c.permanent || !strings.Contains(err.Error(), c.want) {
				t.Errorf("permanent: %v, %v", deliver.Permanent(err), err)
			}
			if errors.Is(err, fabric.ErrMalformed) != (name == "no block" || name == "neither block nor status") {
				t.Errorf("malformed: %v", err)
			}
		})
	}
}
