package deliver

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

type tenBlocks struct{}

func (tenBlocks) Oldest() uint64                                { return 3 }
func (tenBlocks) Height() uint64                                { return 13 }
func (tenBlocks) Block(context.Context, uint64) ([]byte, error) { return nil, ErrDisconnect }

// FuzzSeekEnvelope throws requests at the server's door: whatever they are, they are
// accepted for blocks that can be served, or refused with one of Fabric's statuses.
func FuzzSeekEnvelope(f *testing.F) {
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		f.Fatal(err)
	}
	user, err := org.Member("user", "client")
	if err != nil {
		f.Fatal(err)
	}
	for _, seek := range []Seek{
		{Channel: "ch1"}, {Channel: "ch1", Start: Newest, Stop: At(12), FailIfNotReady: true}, {Channel: "ch1", Start: NextCommit, HeadersOnly: true},
	} {
		envelope, err := seek.Envelope(user.Identity, nil)
		if err != nil {
			f.Fatal(err)
		}
		raw, err := proto.Marshal(envelope)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, []byte(nil))
		f.Add(raw, seekBytes(f, seek))
	}
	f.Add([]byte{0x0a, 0}, seekBytes(f, Seek{Start: At(1 << 63), Stop: At(1<<64 - 1)}))
	server := &Server{Ledgers: func(channel string) (Ledger, bool) { return tenBlocks{}, channel == "ch1" }, Trust: pki.Trust(org)}
	f.Fuzz(func(t *testing.T, raw, seek []byte) {
		var envelope commonpb.Envelope
		if proto.Unmarshal(raw, &envelope) == nil {
			r := &Request{}
			check(t, r, server.accept(r, &envelope, link{}, time.Now()))
		}
		r := &Request{Service: Orderer, ledger: tenBlocks{}}
		check(t, r, r.seek(seek))
	})
}

func seekBytes(f *testing.F, s Seek) []byte {
	f.Helper()
	raw, err := proto.Marshal(s.message())
	if err != nil {
		f.Fatal(err)
	}
	return raw
}

func check(t *testing.T, r *Request, err error) {
	t.Helper()
	var refused *StatusError
	switch {
	case err == nil:
		if r.First < 3 || r.First > 13 || r.last < r.First {
			t.Fatalf("accepted blocks %d to %d", r.First, r.last)
		}
	case !errors.As(err, &refused):
		t.Fatalf("refused without a status: %v", err)
	default:
		switch refused.Status {
		case commonpb.Status_BAD_REQUEST, commonpb.Status_FORBIDDEN, commonpb.Status_NOT_FOUND:
		default:
			t.Fatalf("refused with %v", refused.Status)
		}
	}
}

// FuzzResponse reads what a hostile node may send.
func FuzzResponse(f *testing.F) {
	f.Add([]byte{0x08, 0xc8, 1})
	f.Add([]byte{0x12, 4, 0x0a, 2, 0x08, 7})
	f.Add([]byte{0x1a, 2, 0x10, 7})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m response
		if err := m.parse(raw); err == nil && len(m.value) > len(raw) {
			t.Fatal("more out than in")
		}
	})
}
