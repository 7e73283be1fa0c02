package fabricnet_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/blockreel/blockreel/recorder/fabricnet"
)

// Example records a channel of a network for ten minutes. It has no output, since it needs the
// network.
func Example() {
	signer, err := fabricnet.LoadIdentity("users/User1@org1.example.com/msp", "Org1MSP")
	if err != nil {
		log.Fatal(err)
	}
	ca, err := os.ReadFile("tls-ca.pem")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	file, err := os.Create("run.reel")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	net, err := fabricnet.Open(ctx, fabricnet.Config{
		Orderer:  fabricnet.Node{Address: "orderer.example.com:7050", TLS: &tls.Config{RootCAs: roots}},
		Peers:    []fabricnet.Node{{Address: "peer0.org1.example.com:7051", TLS: &tls.Config{RootCAs: roots}}},
		Channels: []string{"mychannel"},
		Signer:   signer,
		Payload:  fabricnet.PayloadFull,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer net.Close()
	if err := net.Run(ctx, file); err != nil {
		log.Fatal(err)
	}
	for _, s := range net.Status() {
		fmt.Printf("%s: %d commits\n", s.Name, s.Blocks)
	}
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
}
