package deliver_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	ordererpb "github.com/blockreel/blockreel/internal/fabric/proto/orderer"
)

var services = []deliver.Service{deliver.Orderer, deliver.Peer, deliver.PeerFiltered}

func span(first, last uint64) (numbers []uint64) {
	for n := first; n <= last; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

// TestSeeks asks for a chain of blocks 2 to 9 in every way that ends.
func TestSeeks(t *testing.T) {
	n := startNode(t, nodeConfig{})
	n.ledger.oldest = 2
	n.ledger.append(sample(t)[2:10]...)
	conn := n.dial(t)
	for _, test := range []struct {
		name string
		seek deliver.Seek
		want []uint64
		code commonpb.Status
	}{
		{"oldest to newest", deliver.Seek{Stop: deliver.Newest}, span(2, 9), 0},
		{"oldest to oldest", deliver.Seek{Start: deliver.Oldest, Stop: deliver.Oldest}, span(2, 2), 0},
		{"newest to newest", deliver.Seek{Start: deliver.Newest, Stop: deliver.Newest}, span(9, 9), 0},
		{"a number to newest", deliver.Seek{Start: deliver.At(7), Stop: deliver.Newest}, span(7, 9), 0},
		{"a number to a number", deliver.Seek{Start: deliver.At(3), Stop: deliver.At(5)}, span(3, 5), 0},
		{"one number", deliver.Seek{Start: deliver.At(4), Stop: deliver.At(4)}, span(4, 4), 0},
		{"a number to oldest", deliver.Seek{Start: deliver.At(4), Stop: deliver.Oldest}, span(4, 4), 0},
		{"beyond the height, not waiting", deliver.Seek{Start: deliver.At(8), FailIfNotReady: true}, span(8, 9), commonpb.Status_NOT_FOUND},
		{"the height, not waiting", deliver.Seek{Start: deliver.At(10), FailIfNotReady: true}, nil, commonpb.Status_NOT_FOUND},
		{"next commit, not waiting", deliver.Seek{Start: deliver.NextCommit, FailIfNotReady: true}, nil, commonpb.Status_NOT_FOUND},
		{"beyond the height", deliver.Seek{Start: deliver.At(11)}, nil, commonpb.Status_NOT_FOUND},
		{"before the oldest", deliver.Seek{Start: deliver.At(1)}, nil, commonpb.Status_NOT_FOUND},
		{"newest to a number before it", deliver.Seek{Start: deliver.Newest, Stop: deliver.At(3)}, nil, commonpb.Status_BAD_REQUEST},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, s := range services {
				test.seek.Channel = "ch1"
				got, err := drain(open(t, conn, s, n.user, test.seek))
				if !slices.Equal(got, test.want) || (test.code == 0) != (err == nil) || test.code != 0 && !deliver.HasStatus(err, test.code) {
					t.Errorf("%s: blocks %v, %v", s, got, err)
				}
			}
		})
	}
}

// TestWaits asks for blocks that do not exist yet.
func TestWaits(t *testing.T) {
	blocks := sample(t)
	for _, test := range []struct {
		name  string
		start deliver.Position
		want  uint64
	}{{"newest", deliver.Newest, 3}, {"the next", deliver.At(4), 4}, {"next commit", deliver.NextCommit, 4}} {
		t.Run(test.name, func(t *testing.T) {
			opened := make(chan uint64, 1)
			n := startNode(t, nodeConfig{blocks: blocks[:4], hooks: deliver.Hooks{
				Opened: func(r *deliver.Request) { opened <- r.First },
			}})
			stream := open(t, n.dial(t), deliver.Orderer, n.user, deliver.Seek{Channel: "ch1", Start: test.start})
			if first := <-opened; first != test.want {
				t.Fatalf("first block %d, want %d", first, test.want)
			}
			n.ledger.append(blocks[4:8]...)
			for want := test.want; want < 8; want++ {
				if d := recv(t, stream); d.Number() != want {
					t.Fatalf("block %d, want %d", d.Number(), want)
				}
			}
			stream.Close()
			if _, err := stream.Recv(); !errors.Is(err, context.Canceled) || deliver.Permanent(err) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// TestBytesAreTheLedgers holds what arrives to what was put in, to the byte.
func TestBytesAreTheLedgers(t *testing.T) {
	blocks := sample(t)
	n := startNode(t, nodeConfig{blocks: blocks})
	conn := n.dial(t)
	for _, s := range []deliver.Service{deliver.Orderer, deliver.Peer} {
		chain := fabric.ChainAt(0)
		stream := open(t, conn, s, n.user, deliver.Seek{Channel: "ch1"})
		for i := range blocks {
			d := recv(t, stream)
			if err := chain.Next(&d.Block); err != nil || !bytes.Equal(d.Block.Raw, blocks[i]) {
				t.Fatalf("%s: block %d: %v", s, i, err)
			}
			if d.Arrived.IsZero() || d.Arrived.After(time.Now()) {
				t.Errorf("arrived at %v", d.Arrived)
			}
		}
	}
	stream := open(t, conn, deliver.PeerFiltered, n.user, deliver.Seek{Channel: "ch1", Stop: deliver.Newest})
	for i := range blocks {
		b, err := fabric.ParseBlock(blocks[i])
		if err != nil {
			t.Fatal(err)
		}
		want, err := fabric.Filter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if d := recv(t, stream); !proto.Equal(d.Filtered, want) {
			t.Errorf("block %d: %v, want %v", i, d.Filtered, want)
		}
	}
	bare := open(t, conn, deliver.Orderer, n.user, deliver.Seek{Channel: "ch1", HeadersOnly: true})
	for i := range blocks {
		d := recv(t, bare)
		whole, err := fabric.ParseBlock(blocks[i])
		if err != nil {
			t.Fatal(err)
		}
		if d.Block.HeaderHash() != whole.HeaderHash() || (d.Block.Transactions > 0) != whole.IsConfig() {
			t.Errorf("block %d without data: %d transactions", i, d.Block.Transactions)
		}
	}
}

// request makes a good SeekInfo envelope of ch1 for damage to be done to.
type request struct {
	channelHeader *commonpb.ChannelHeader
	creator       []byte
	info          *ordererpb.SeekInfo
	// sign makes the signature of the payload.
	sign func(payload []byte) ([]byte, error)
}

func (n *node) request() *request {
	number := func(i uint64) *ordererpb.SeekPosition {
		return &ordererpb.SeekPosition{Type: &ordererpb.SeekPosition_Specified{Specified: &ordererpb.SeekSpecified{Number: i}}}
	}
	return &request{
		channelHeader: &commonpb.ChannelHeader{
			Type: int32(commonpb.HeaderType_DELIVER_SEEK_INFO), Timestamp: timestamppb.Now(), ChannelId: "ch1",
		},
		creator: n.user.Serialize(), sign: n.user.Sign,
		info: &ordererpb.SeekInfo{Start: number(0), Stop: number(1)},
	}
}

func (r *request) envelope(t testing.TB) *commonpb.Envelope {
	t.Helper()
	marshal := func(m proto.Message) []byte {
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	payload := marshal(&commonpb.Payload{
		Header: &commonpb.Header{
			ChannelHeader:   marshal(r.channelHeader),
			SignatureHeader: marshal(&commonpb.SignatureHeader{Creator: r.creator, Nonce: identity.Nonce()}),
		},
		Data: marshal(r.info),
	})
	signature, err := r.sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	return &commonpb.Envelope{Payload: payload, Signature: signature}
}

// TestStatuses makes one thing after the other wrong in a request that is right.
func TestStatuses(t *testing.T) {
	n := startNode(t, nodeConfig{blocks: sample(t)})
	stranger, err := startNode(t, nodeConfig{}).org.Member("stranger", "client")
	if err != nil {
		t.Fatal(err)
	}
	conn := n.dial(t)
	const bad, forbidden, notFound = commonpb.Status_BAD_REQUEST, commonpb.Status_FORBIDDEN, commonpb.Status_NOT_FOUND
	for _, test := range []struct {
		name   string
		damage func(*request)
		want   commonpb.Status
	}{
		{"nothing", func(*request) {}, commonpb.Status_SUCCESS},
		{"no channel", func(r *request) { r.channelHeader.ChannelId = "" }, bad},
		{"unknown channel", func(r *request) { r.channelHeader.ChannelId = "ch2" }, notFound},
		{"no timestamp", func(r *request) { r.channelHeader.Timestamp = nil }, bad},
		{"old timestamp", func(r *request) {
			r.channelHeader.Timestamp = timestamppb.New(time.Now().Add(-deliver.TimeWindow - time.Minute))
		}, bad},
		{"timestamp to come", func(r *request) {
			r.channelHeader.Timestamp = timestamppb.New(time.Now().Add(deliver.TimeWindow + time.Minute))
		}, bad},
		{"no signature", func(r *request) { r.sign = func([]byte) ([]byte, error) { return nil, nil } }, forbidden},
		{"another's signature", func(r *request) { r.sign = stranger.Sign }, forbidden},
		{"another payload's signature", func(r *request) {
			r.sign = func(p []byte) ([]byte, error) { return n.user.Sign(p[1:]) }
		}, forbidden},
		{"no creator", func(r *request) { r.creator = nil }, forbidden},
		{"a stranger", func(r *request) { r.creator, r.sign = stranger.Serialize(), stranger.Sign }, forbidden},
		{"no start", func(r *request) { r.info.Start = nil }, bad},
		{"no stop", func(r *request) { r.info.Stop = nil }, bad},
		{"empty start", func(r *request) { r.info.Start = &ordererpb.SeekPosition{} }, bad},
		{"stop before start", func(r *request) { r.info.Start, r.info.Stop = r.info.Stop, r.info.Start }, bad},
		{"stop at next commit", func(r *request) {
			r.info.Stop = &ordererpb.SeekPosition{Type: &ordererpb.SeekPosition_NextCommit{NextCommit: &ordererpb.SeekNextCommit{}}}
		}, bad},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := n.request()
			test.damage(r)
			for _, s := range services {
				stream, err := conn.DeliverEnvelope(context.Background(), s, "ch1", r.envelope(t))
				if err != nil {
					t.Fatal(err)
				}
				numbers, err := drain(stream)
				if test.want == commonpb.Status_SUCCESS {
					if err != nil || len(numbers) != 2 {
						t.Errorf("%s: blocks %v, %v", s, numbers, err)
					}
					continue
				}
				if !deliver.HasStatus(err, test.want) || len(numbers) != 0 || deliver.Permanent(err) != (test.want != notFound) {
					t.Errorf("%s: blocks %v, %v, permanent %v", s, numbers, err, deliver.Permanent(err))
				}
			}
		})
	}
	t.Run("no protobuf", func(t *testing.T) {
		stream, err := conn.DeliverEnvelope(context.Background(), deliver.Orderer, "ch1", &commonpb.Envelope{Payload: []byte{0xff}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := drain(stream); !deliver.HasStatus(err, bad) {
			t.Error(err)
		}
	})
}

// TestLedgerErrors: what a ledger answers is what the reader is told.
func TestLedgerErrors(t *testing.T) {
	for _, test := range []struct {
		name  string
		fail  error
		check func(error) bool
	}{
		{"unavailable", &deliver.StatusError{Status: commonpb.Status_SERVICE_UNAVAILABLE}, func(err error) bool {
			return deliver.HasStatus(err, commonpb.Status_SERVICE_UNAVAILABLE) && !deliver.Permanent(err)
		}},
		{"any other", errors.New("disk"), func(err error) bool {
			return deliver.HasStatus(err, commonpb.Status_INTERNAL_SERVER_ERROR) && !deliver.Permanent(err)
		}},
		{"disconnect", deliver.ErrDisconnect, func(err error) bool {
			var connect *deliver.ConnectError
			return errors.As(err, &connect) && !deliver.Permanent(err)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ended := make(chan error, 1)
			n := startNode(t, nodeConfig{blocks: sample(t), hooks: deliver.Hooks{
				Ended: func(_ *deliver.Request, err error) { ended <- err },
			}})
			n.ledger.fail, n.ledger.failAt = test.fail, 3
			got, err := drain(open(t, n.dial(t), deliver.Orderer, n.user, deliver.Seek{Channel: "ch1"}))
			if !slices.Equal(got, span(0, 2)) || !test.check(err) {
				t.Errorf("blocks %v, %v", got, err)
			}
			if err := <-ended; !errors.Is(err, test.fail) {
				t.Errorf("the server's side: %v", err)
			}
		})
	}
}

func TestSeekRefuses(t *testing.T) {
	n := startNode(t, nodeConfig{})
	conn := n.dial(t)
	for name, seek := range map[string]deliver.Seek{
		"no channel":          {},
		"stop before start":   {Channel: "ch1", Start: deliver.At(3), Stop: deliver.At(2)},
		"stop at next commit": {Channel: "ch1", Stop: deliver.NextCommit},
	} {
		if _, err := conn.Deliver(context.Background(), deliver.Orderer, n.user.Identity, seek); err == nil {
			t.Error(name)
		}
	}
}

// TestHooks tells of a request from end to end.
func TestHooks(t *testing.T) {
	type ended struct {
		request *deliver.Request
		err     error
	}
	var sent []deliver.Sent
	done := make(chan ended, 1)
	blocks := sample(t)[:3]
	n := startNode(t, nodeConfig{blocks: blocks, hooks: deliver.Hooks{
		Sent:  func(_ *deliver.Request, s deliver.Sent) { sent = append(sent, s) },
		Ended: func(r *deliver.Request, err error) { done <- ended{r, err} },
	}})
	if _, err := drain(open(t, n.dial(t), deliver.Peer, n.user, deliver.Seek{Channel: "ch1", Stop: deliver.Newest})); err != nil {
		t.Fatal(err)
	}
	end := <-done
	if r := end.request; end.err != nil || r.Service != deliver.Peer || r.Seek.Channel != "ch1" || r.Creator.MSPID != "Org1MSP" || r.Remote == "" {
		t.Errorf("%+v, %v", r, end.err)
	}
	for i, s := range sent {
		if s.Number != uint64(i) || s.Bytes != len(blocks[i]) || s.Done.Before(s.Begun) {
			t.Errorf("%+v", s)
		}
	}
	if len(sent) != 3 {
		t.Errorf("%d blocks sent", len(sent))
	}
}
