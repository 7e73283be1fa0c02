package fabriclog

// service is the ordering service: all orderers' logs together. A block is in the
// service's ledger when the first orderer has written it.
type service struct {
	channels map[string]*ordered
	last     *ordered
	name     string // channel of last
	banner   banner
}

// ordered is one channel at the ordering service.
type ordered struct {
	table       *table
	subscribers map[string]*table
	// crowded counts Delivering lines of subscribers beyond maxSubscribers.
	crowded int64
}

// maxSubscribers bounds the Deliver streams that are told apart in one channel, and
// maxChannels the channels of a node.
const (
	maxSubscribers = 256
	maxChannels    = 1024
)

func newService() *service { return &service{channels: make(map[string]*ordered)} }

// channel returns the channel's tables, nil when there are too many channels.
func (s *service) channel(name []byte) *ordered {
	if s.last != nil && string(name) == s.name {
		return s.last
	}
	o := s.channels[string(name)]
	if o == nil {
		if len(s.channels) >= maxChannels {
			return nil
		}
		o = &ordered{table: newTable(), subscribers: make(map[string]*table)}
		s.channels[string(name)] = o
	}
	s.last, s.name = o, string(name)
	return o
}

// take notes a sighting and reports whether the block had been told of before.
func (s *service) take(m *sighting) (repeated bool) {
	o := s.channel(m.channel)
	if o == nil {
		return false
	}
	switch m.msg {
	case msgWriting:
		return earliest(o.table.cell(colWriting, m.block), m.at)
	case msgWrote:
		return earliest(o.table.cell(colWrote, m.block), m.at)
	case msgCreated:
		return earliest(o.table.cell(colCreated, m.block), m.at)
	case msgDelivering:
		sub := o.subscribers[string(m.subscriber)]
		if sub == nil {
			if len(o.subscribers) >= maxSubscribers {
				o.crowded++
				return false
			}
			sub = newTable()
			o.subscribers[string(m.subscriber)] = sub
		}
		return earliest(sub.cell(colDelivering, m.block), m.at)
	}
	return false
}

// earliest keeps the smaller of two times and reports whether there were two.
func earliest(c *int64, at int64) (repeated bool) {
	if c == nil {
		return false
	}
	if *c == missing {
		*c = at
		return false
	}
	*c = min(*c, at)
	return true
}
