package fabriclog

// A peer is what was seen in one peer's logs.
type peer struct {
	name     string
	channels map[string]*delivered
	last     *delivered
	channel  string // of last
	banner   banner
	starts   int64
}

// delivered is one channel at one peer.
type delivered struct {
	table *table
	// adding is the block of the last "Adding payload" line whose push has not
	// been told yet: the line that tells of it has no number.
	adding   uint64
	isAdding bool
	// top is the block pushed last. unordered is set when one was pushed out of
	// order: the buffer may have holes then.
	top       uint64
	unordered bool
	// next is the number after the last commit.
	next  uint64
	pulls []pull
	// orderer is the address that the peer pulled from last.
	orderer string
}

// A pull is a (re)connection to the ordering service: the peer asks for block from
// and all that follow.
type pull struct {
	from uint64
	at   int64
}

// maxPulls bounds the connections that are kept.
const maxPulls = 1 << 16

func newPeer(name string) *peer { return &peer{name: name, channels: make(map[string]*delivered)} }

func (p *peer) of(channel []byte) *delivered {
	if p.last != nil && string(channel) == p.channel {
		return p.last
	}
	d := p.channels[string(channel)]
	if d == nil {
		if len(p.channels) >= maxChannels {
			return nil
		}
		d = &delivered{table: newTable()}
		p.channels[string(channel)] = d
	}
	p.last, p.channel = d, string(channel)
	return d
}

// restart empties the buffers: blocks that were not committed will come again, and
// only then begins the way that leads to their commit.
func (p *peer) restart() {
	p.starts++
	for _, d := range p.channels {
		d.isAdding, d.top, d.unordered = false, 0, false
		for _, col := range []int{colAtDoor, colEnqueued, colGone, colTransferring, colReceived, colValidated} {
			d.table.forget(col, d.next)
		}
	}
}

// take notes a sighting and reports whether the block had been told of before.
func (p *peer) take(m *sighting) (repeated bool) {
	d := p.of(m.channel)
	if d == nil {
		return false
	}
	switch m.msg {
	case msgPulling:
		if len(d.pulls) < maxPulls {
			d.pulls = append(d.pulls, pull{m.block, m.at})
		}
		if len(m.subscriber) > 0 {
			d.orderer = string(m.subscriber)
		}
	case msgAdding:
		// Two loggers tell the same of every block, microseconds apart.
		d.adding, d.isAdding = m.block, true
		if c := d.table.cell(colAtDoor, m.block); c != nil && *c == missing {
			*c = m.at
		}
	case msgBufferSize:
		d.pushed(m)
	case msgTransferring:
		return d.latest(colTransferring, m)
	case msgReceived:
		return d.latest(colReceived, m)
	case msgValidated:
		return d.latest(colValidated, m)
	case msgCommitted:
		return d.commit(m)
	}
	return false
}

// pushed takes the line that tells of a push and of the buffer's size after it.
func (d *delivered) pushed(m *sighting) {
	if !d.isAdding {
		return
	}
	d.isAdding = false
	if c := d.table.cell(colEnqueued, d.adding); c != nil && *c == missing {
		*c = m.at
	}
	d.unordered = d.unordered || d.top != 0 && d.adding != d.top+1
	d.top = d.adding
	// Without holes the buffer holds the newest blocks: those before are popped.
	size := uint64(m.count)
	if d.unordered || size == 0 || size > d.adding || !d.table.knows(d.adding-size) {
		return
	}
	if c := d.table.cell(colGone, d.adding-size); *c == missing {
		*c = m.at
	}
}

// latest keeps the last time that is not after the block's commit.
func (d *delivered) latest(column int, m *sighting) (repeated bool) {
	c := d.table.cell(column, m.block)
	if c == nil {
		return false
	}
	if *c == missing {
		*c = m.at
		return false
	}
	if done := d.table.value(colCommitted, m.block); m.at > *c && (done == missing || m.at <= done) {
		*c = m.at
	}
	return true
}

func (d *delivered) commit(m *sighting) (repeated bool) {
	c := d.table.cell(colCommitted, m.block)
	if c == nil {
		return false
	}
	d.next = max(m.block, m.block+1)
	if *c != missing && *c <= m.at {
		return true
	}
	repeated = *c != missing
	*c = m.at
	*d.table.cell(colTransactions, m.block) = m.count
	for _, stage := range [...]struct {
		column int
		ms     int64
	}{{colStateValidation, m.validation}, {colBlockStore, m.store}, {colStateCommit, m.state}} {
		if stage.ms >= 0 {
			*d.table.cell(stage.column, m.block) = stage.ms * 1e6
		}
	}
	if m.hash >= 0 {
		*d.table.cell(colCommitHash, m.block) = m.hash
	}
	return repeated
}
