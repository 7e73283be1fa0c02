package serve

import (
	"iter"
	"os"
	"sync"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/traces/event"
)

// stream is a channel's way to one reader, across its requests.
type stream struct {
	recording *recording
	channel   *channel
	name      string
	peer      int // index of Recording.Peers, or -1
	rec       *recorder.Recorder
	file      *os.File
	// who reads, and how many requests of its are being answered; under recording.mu.
	who     string
	readers int
	// followed is closed when the peer's commits are first followed.
	followed chan struct{}
	once     sync.Once

	mu sync.Mutex
	// begun reports whether there was a reader, first is where it began, and next the block
	// after the last one that was sent.
	begun       bool
	first, next uint64
	// sent counts blocks, again those that were sent another time.
	sent, again int64
	// known is the peer's height, as far as it has reported it; told counts the commits that it has reported.
	known uint64
	told  int64
	// took is how long the peer's first answer took.
	took time.Duration
}

// StreamStatus is how far a stream of the recording has come.
type StreamStatus struct {
	Channel, Peer string
	// Sent and Committed count blocks; Height is the peer's, as far as it has reported it.
	Sent, Committed int64
	Height          uint64
	// Followed reports whether the stream is that of one of Recording.Peers.
	Followed bool
	// Dropped counts the events that could not be written in time.
	Dropped uint64
}

// Recorded gives the status of every stream that is recorded.
func (s *Server) Recorded() []StreamStatus {
	if s.recording == nil {
		return nil
	}
	s.recording.mu.Lock()
	defer s.recording.mu.Unlock()
	var all []StreamStatus
	for _, st := range s.recording.streams {
		st.mu.Lock()
		all = append(all, StreamStatus{st.channel.name, st.name, st.sent, st.told, st.known, st.peer >= 0, st.rec.Dropped(0)})
		st.mu.Unlock()
	}
	return all
}

func (s *stream) begin(first uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun || first < s.first {
		s.begun, s.first = true, first
	}
}

// awaitFollower waits until the commits of a peer are followed: what it commits before that
// would have no time.
func (s *stream) awaitFollower(stopped <-chan struct{}) {
	if s.peer < 0 {
		return
	}
	select {
	case <-s.followed:
		return
	default:
	}
	if told := s.recording.Waits; told != nil {
		told(s.recording.Peers[s.peer], s.channel.name)
	}
	select {
	case <-s.followed:
	case <-stopped:
	}
}

func (s *stream) height() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

// facts are what is known of block i of the channel without its having been sent.
func (s *stream) facts(i int) iter.Seq2[event.Kind, int64] {
	return func(yield func(event.Kind, int64) bool) {
		p := s.channel.places[i]
		_ = yield(event.Offered, int64(s.recording.offered(s.channel, i))) &&
			yield(event.Transactions, int64(p.transactions)) &&
			yield(event.Bytes, int64(p.length)) &&
			yield(event.Writes, int64(p.writes))
	}
}

// delivered takes a block whose Send has returned. Of a block that is sent again, to a reader
// that was cut off, the first time counts.
func (s *stream) delivered(b deliver.Sent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.Number < s.next {
		s.again++
		return
	}
	s.next = b.Number + 1
	s.sent++
	for k, v := range s.facts(int(b.Number - s.channel.first())) {
		s.observe(k, b.Number, v)
	}
	if at, ok := s.recording.at(b.Done); ok {
		s.observe(event.Sent, b.Number, int64(at))
	}
}

// reached takes a height that the peer has reported.
func (s *stream) reached(height uint64, took time.Duration) {
	s.mu.Lock()
	s.known = max(s.known, height)
	if s.took == 0 {
		s.took = took
	}
	s.mu.Unlock()
	s.recording.check()
}

// committed takes a peer's event. Those from before the trace's start are left out.
func (s *stream) committed(number uint64, arrived time.Time, refused int64) {
	s.mu.Lock()
	s.known = max(s.known, number+1)
	if at, ok := s.recording.at(arrived); ok {
		s.told++
		s.observe(event.Committed, number, int64(at))
		s.observe(event.InvalidTransactions, number, refused)
	}
	s.mu.Unlock()
	s.recording.check()
}

func (s *stream) observe(k event.Kind, block uint64, v int64) {
	s.rec.Observe(event.Event{Kind: k, Block: event.BlockNum(block), Value: v})
}
