package serve

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/traces"
)

// ErrNoPayloads: the trace has the times of blocks but not the blocks.
var ErrNoPayloads = errors.New("the trace contains the times of blocks but not the blocks; add them with blockreel attach, from a ledger directory or files of peer channel fetch")

// Server offers a trace. Close it when it has served.
type Server struct {
	cfg      Config
	spool    *spool
	clock    *clock
	faults   faults
	channels []*channel
	counts   map[string]*counts
	opened   sync.Map // *deliver.Request that is being answered → its *stream, or nil
	warnings []string
	// recording is nil if there is none.
	recording *recording
	// stopped ends readers that wait before their first block.
	stopped <-chan struct{}
}

// counts are those of a channel.
type counts struct{ readers, sent atomic.Int64 }

// Status is how far a channel has come.
type Status struct {
	Channel string
	// First is the first block, Recorded the first one of the recording: those before
	// it are there from the start. Height is the number of the block that is offered
	// next, End the height at the end of the trace.
	First, Recorded, Height, End uint64
	// Readers are requests that are being answered, Sent the blocks that all have been sent.
	Readers, Sent int64
}

// Status gives every channel's, by name.
func (s *Server) Status() []Status {
	all := make([]Status, len(s.channels))
	now := s.clock.now()
	for i, c := range s.channels {
		n := s.counts[c.name]
		all[i] = Status{c.name, c.first(), c.recorded(), c.height(now), c.end(), n.readers.Load(), n.sent.Load()}
	}
	return all
}

// sent counts the blocks that all readers of all channels have been sent.
func (s *Server) sent() (n int64) {
	for _, c := range s.counts {
		n += c.sent.Load()
	}
	return n
}

// New makes a Server of a trace and its payloads, which it reads to their end.
func New(tr *traces.Trace, payloads iter.Seq2[traces.Payload, error], cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	s := &Server{cfg: cfg, clock: newClock(), faults: newFaults(cfg), counts: map[string]*counts{}}
	s.clock.precise = true
	var err error
	if cfg.Record != nil {
		if s.recording, err = newRecording(*cfg.Record, s.clock); err != nil {
			return nil, fmt.Errorf("serve: %w", err)
		}
	}
	if s.spool, err = newSpool(cfg.Dir, payloads, cfg.Record != nil); err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	if s.recording != nil {
		s.recording.spool = s.spool
	}
	if err := s.open(tr); err != nil {
		return nil, errors.Join(fmt.Errorf("serve: %w", err), s.spool.close())
	}
	return s, nil
}

// open makes the channels.
func (s *Server) open(tr *traces.Trace) error {
	if len(s.spool.places) == 0 {
		return ErrNoPayloads
	}
	for _, stream := range tr.Streams {
		name := stream.Channel
		if s.counts[name] != nil {
			continue
		}
		s.counts[name] = new(counts)
		places := s.spool.places[name]
		if places == nil {
			s.warnings = append(s.warnings, fmt.Sprintf("channel %s has no payloads and is not served: add them with blockreel attach", name))
			continue
		}
		c, err := newChannel(tr, name, places)
		if err != nil {
			return err
		}
		s.channels = append(s.channels, c)
	}
	if len(s.channels) == 0 {
		return ErrNoPayloads
	}
	slices.SortFunc(s.channels, func(a, b *channel) int { return strings.Compare(a.name, b.name) })
	s.warnings = append(s.warnings, schedule(s.channels, tr, s.cfg)...)
	return nil
}

// Warnings says what the trace lacks.
func (s *Server) Warnings() []string { return s.warnings }

// Listen opens an address to serve at. Without TLS only this machine may reach it: what
// is served is somebody's ledger.
func Listen(address string, secure bool) (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if !secure && !addr.IP.IsLoopback() {
		return nil, fmt.Errorf("listen on %s: other machines can reach this address, and the blocks would be sent without encryption; add a TLS certificate, or listen on 127.0.0.1", address)
	}
	return net.ListenTCP("tcp", addr)
}

// Serve answers requests at a listener, which it closes, until ctx ends; then its error
// is nil. It may be called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	node := grpc.NewServer(deliver.ServerOptions(s.cfg.TLS)...)
	service := &deliver.Server{Ledgers: s.ledger, Hooks: s.hooks()}
	service.RegisterOrderer(node)
	group, ctx := errgroup.WithContext(ctx)
	s.stopped = ctx.Done()
	if s.recording != nil {
		if err := s.recording.start(s.channels, cancel); err != nil {
			return errors.Join(err, s.recording.finish(), l.Close())
		}
		for _, st := range s.recording.streams {
			group.Go(func() error { return st.follow(ctx, s.recording.Peers[st.peer]) })
		}
	}
	if !s.cfg.Hold {
		s.begin()
	}
	group.Go(func() error {
		defer context.AfterFunc(ctx, node.Stop)()
		if err := node.Serve(l); ctx.Err() == nil {
			return err
		}
		return nil
	})
	err := group.Wait()
	node.Stop() // returns when all streams have ended
	if s.recording != nil {
		err = errors.Join(err, s.recording.finish())
	}
	return err
}

// begin starts the clock, and with it the recording.
func (s *Server) begin() {
	if s.recording != nil {
		s.recording.origin.begin()
	}
	s.clock.begin()
}

// Close frees the blocks. Serve must have returned.
func (s *Server) Close() error {
	err := s.spool.close()
	if s.recording != nil {
		err = errors.Join(err, s.recording.close())
	}
	return err
}

func (s *Server) channel(name string) *channel {
	for _, c := range s.channels {
		if c.name == name {
			return c
		}
	}
	return nil
}

// ledger is what deliver calls for each request.
func (s *Server) ledger(name string) (deliver.Ledger, bool) {
	c := s.channel(name)
	if c == nil {
		return nil, false
	}
	return &reader{channel: c, spool: s.spool, clock: s.clock, begin: s.begin, faults: s.faults, cuts: s.faults.passed(s.clock.now()), stopped: s.stopped}, true
}

// hooks count and record, and hand on.
func (s *Server) hooks() deliver.Hooks {
	h := s.cfg.Hooks
	return deliver.Hooks{
		Opened: func(r *deliver.Request) {
			st := s.recordReader(r)
			s.opened.Store(r, st)
			if st != nil && s.cfg.Hold {
				st.awaitFollower(s.stopped)
			}
			s.counts[r.Seek.Channel].readers.Add(1)
			if h.Opened != nil {
				h.Opened(r)
			}
		},
		Sent: func(r *deliver.Request, sent deliver.Sent) {
			s.counts[r.Seek.Channel].sent.Add(1)
			if st, _ := s.opened.Load(r); st.(*stream) != nil {
				st.(*stream).delivered(sent)
			}
			if h.Sent != nil {
				h.Sent(r, sent)
			}
		},
		Ended: func(r *deliver.Request, err error) {
			s.ended(r, err)
			if h.Ended != nil {
				h.Ended(r, err)
			}
		},
	}
}

// recordReader gives the stream of the recording that a reader is; nil: none.
func (s *Server) recordReader(r *deliver.Request) *stream {
	if s.recording == nil {
		return nil
	}
	return s.recording.open(s.channel(r.Seek.Channel), r)
}

// ended removes a reader. One whose ledger is ahead of the clock that waits for it
// is refused, as by an orderer that is behind, and will come back: the clock starts.
func (s *Server) ended(r *deliver.Request, err error) {
	if st, was := s.opened.LoadAndDelete(r); was {
		s.counts[r.Seek.Channel].readers.Add(-1)
		if st.(*stream) != nil {
			s.recording.closeReader(st.(*stream))
		}
		return
	}
	c := s.channel(r.Seek.Channel)
	if c != nil && r.First > c.first() && deliver.HasStatus(err, commonpb.Status_NOT_FOUND) {
		s.begin()
	}
}
