package serve

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Recording says how to record what is delivered. While it lasts, every stream is a trace
// of its own, in a file beside the one that Server.SaveRecording makes of them: who will
// come to read is not known when the first one does.
type Recording struct {
	// Path of the trace. The streams' files are called Path.stream1, Path.stream2, ….
	Path string
	// Peers whose commits are followed. None: the trace shows what was sent.
	Peers []Peer
	// Signer signs the requests to the Peers: an identity that may read the channels, such as
	// fabricnet.LoadIdentity returns.
	Signer Signer
	// UntilCaughtUp ends Serve once all Peers have committed all blocks of all channels.
	UntilCaughtUp bool
	// RetryAfter is the first pause before a peer is tried again; it doubles up to
	// RetryAtMost. 0 means 200 ms and 2 s.
	RetryAfter, RetryAtMost time.Duration
	// Followed and Lost are called for the Peers: from which block on its commits are seen, of a
	// trace that ends before block end, and that it cannot be reached and is tried again.
	// Waits is called when, with Config.Hold, it has come to read and is sent nothing before its
	// commits are followed. Nil: not called.
	Followed func(p Peer, channel string, from, end uint64)
	Lost     func(p Peer, channel string, err error)
	Waits    func(p Peer, channel string)
	// Settings of the peers, as far as they are known. They go into every stream.
	Settings traces.Settings
	// Tool names the program in the trace's header.
	Tool string
}

// Signer signs requests for a member of an MSP.
type Signer interface {
	// Serialize returns the member as a marshalled msp.SerializedIdentity.
	Serialize() []byte
	// Sign signs a message as Fabric does.
	Sign(message []byte) ([]byte, error)
}

// Peer is a peer that reads here and reports its commits.
type Peer struct {
	// Name is that of the reader: the common name of the certificate that it signs with,
	// also after its MSP id, as in Org1MSP/peer0.org1.example.com. Empty: the host of
	// Address, or Address if that is a number. A single Peer whose name no reader has is taken
	// for the first reader.
	Name string
	// Address is the peer's host:port.
	Address string
	// TLS of the connection to it, as in fabricnet.Node. Nil: none.
	TLS *tls.Config
}

func (r *Recording) validate() error {
	switch {
	case r.Path == "":
		return errors.New("record: Path is missing")
	case len(r.Peers) > 0 && r.Signer == nil:
		return errors.New("record: Signer is missing; the Peers answer only signed requests")
	case len(r.Peers) == 0 && r.UntilCaughtUp:
		return errors.New("record: UntilCaughtUp requires Peers, whose commits show when they have caught up")
	case r.RetryAfter < 0 || r.RetryAtMost < 0:
		return errors.New("record: RetryAfter and RetryAtMost must not be negative")
	}
	names := map[string]bool{}
	for i := range r.Peers {
		p := &r.Peers[i]
		if p.Name == "" {
			p.Name = p.Address
			if host := p.host(); host != "" && !names[host] && net.ParseIP(host) == nil {
				p.Name = host
			}
		}
		if names[p.Name] {
			return fmt.Errorf("record: two peers are called %s", p.Name)
		}
		names[p.Name] = true
	}
	if r.RetryAfter == 0 {
		r.RetryAfter = 200 * time.Millisecond
	}
	if r.RetryAtMost == 0 {
		r.RetryAtMost = 2 * time.Second
	}
	r.RetryAtMost = max(r.RetryAtMost, r.RetryAfter)
	return nil
}

// maxStreams bounds what is recorded: readers beyond it are served and counted.
const maxStreams = 64

// queueEvents bounds what waits to be written of a stream: 2 MiB.
const queueEvents = 1 << 16

// recording is a Recording under way.
type recording struct {
	Recording
	// origin is the trace's time 0: the start of the clock, or the first reader if the
	// clock waits for one. clock is that of the schedule.
	origin, clock *clock
	spool         *spool

	mu      sync.Mutex
	streams []*stream
	// base is the beginning that all streams' files tell, so that they can be joined if a kill
	// leaves them: origin's, or the recording's if that was not known when the first was made.
	base time.Time
	// readers are the names of readers that are taken for a Peer, by its index.
	readers map[int]string
	// left counts requests of readers that are not recorded.
	left int
	err  error // the first one
	done bool
	// saved reports whether the trace has been written.
	saved bool
	// ended is the clock's time at the end.
	ended time.Duration
	// caughtUp ends Serve.
	caughtUp func()
}

// newRecording also checks that files can be made at Path: a reader that comes in an
// hour is late for that.
func newRecording(r Recording, clock *clock) (*recording, error) {
	if left := streamPath(r.Path, 1); exists(left) {
		return nil, fmt.Errorf("record: %s is left of a recording that was killed: it is a trace; join it with others that are left (blockreel merge %s %s -o FILE), move it, or remove it",
			left, left, streamPath(r.Path, 2))
	}
	probe, err := os.CreateTemp(filepath.Dir(r.Path), "."+filepath.Base(r.Path)+".*.tmp")
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return &recording{Recording: r, origin: newClock(), clock: clock, readers: map[int]string{}}, nil
}

// start makes a stream for every peer and channel.
func (r *recording) start(channels []*channel, caughtUp func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.caughtUp = caughtUp
	for _, c := range channels {
		for i, p := range r.Peers {
			if _, err := r.add(c, p.Name, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// add begins a stream; peer is an index of Peers, -1 for a reader that is none of them.
func (r *recording) add(c *channel, name string, peer int) (*stream, error) {
	if r.base.IsZero() {
		r.base = time.Now().UTC()
		if r.origin.running() {
			r.base = r.origin.start.UTC()
		}
	}
	h := traces.Header{Base: r.base, Tool: r.Tool, Source: source,
		Streams: []traces.Stream{{Channel: c.name, Peer: name, Orderer: source, Settings: r.Settings}}}
	file, err := os.OpenFile(streamPath(r.Path, len(r.streams)+1), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	s := &stream{recording: r, channel: c, name: name, peer: peer, file: file, followed: make(chan struct{})}
	if s.rec, err = recorder.New(file, h, recorder.Config{QueueEvents: queueEvents}); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	r.streams = append(r.streams, s)
	return s, nil
}

// streamPath is where the stream of a number, from 1 on, is recorded.
func streamPath(path string, number int) string { return path + ".stream" + strconv.Itoa(number) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// source is what the trace's header names as its source, and as the orderer.
const source = "serve"

// open gives the stream of a reader; nil if it is not recorded. A request that stops at
// some block, such as that of peer channel fetch, is no peer at work.
func (r *recording) open(c *channel, q *deliver.Request) *stream {
	if q.Seek.Stop != deliver.Forever {
		return nil
	}
	r.origin.begin()
	r.mu.Lock()
	defer r.mu.Unlock()
	who := readerName(q.Creator)
	peer := r.peer(q.Creator)
	same := func(s *stream) bool { return s.channel == c && s.peer == peer && (peer >= 0 || s.who == who) }
	i := slices.IndexFunc(r.streams, func(s *stream) bool { return same(s) && (peer >= 0 || s.readers == 0) })
	if i < 0 {
		name := who
		if slices.ContainsFunc(r.streams, same) {
			name += "@" + q.Remote // another one of the same identity
		}
		if r.done || len(r.streams) >= maxStreams {
			r.left++
			return nil
		}
		if _, err := r.add(c, name, peer); err != nil {
			r.left++
			r.err = cmp.Or(r.err, err)
			return nil
		}
		i = len(r.streams) - 1
	}
	s := r.streams[i]
	s.who = who
	s.readers++
	s.begin(q.First)
	return s
}

// peer gives the index of the Peer that an identity is; -1: none of them.
func (r *recording) peer(who *identity.Principal) int {
	name, common := readerName(who), who.Certificate.Subject.CommonName
	for i, taken := range r.readers {
		if taken == name {
			return i
		}
	}
	i := slices.IndexFunc(r.Peers, func(p Peer) bool { return p.Name == name || p.Name == common || p.host() == common })
	if i < 0 && len(r.Peers) == 1 && len(r.readers) == 0 {
		i = 0
	}
	if i >= 0 && r.readers[i] == "" {
		r.readers[i] = name
		return i
	}
	return -1
}

// readerName names a reader by its identity.
func readerName(p *identity.Principal) string {
	return p.MSPID + "/" + p.Certificate.Subject.CommonName
}

// closeReader removes a reader.
func (r *recording) closeReader(s *stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.readers--
}

// at is an instant's time in the trace; false before its start.
func (r *recording) at(t time.Time) (event.Time, bool) {
	if !r.origin.running() {
		return 0, false
	}
	return event.Time(t.Sub(r.origin.start)), true
}

// offered is when block i of a channel was offered: those before the recording were
// there from the start.
func (r *recording) offered(c *channel, i int) event.Time {
	if i < c.early {
		return 0
	}
	return event.Time(r.clock.start.Sub(r.origin.start) + c.due[i])
}

// check ends Serve when all peers have all blocks, if it should.
func (r *recording) check() {
	if !r.UntilCaughtUp {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.ContainsFunc(r.streams, func(s *stream) bool { return s.peer >= 0 && s.height() < s.channel.end() }) {
		r.caughtUp()
	}
}
