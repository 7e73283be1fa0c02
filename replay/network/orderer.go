package network

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/mint"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/traces/event"
)

// channel is a channel at the orderer: what is offered, and what is made for later.
type channel struct {
	chain   *chain
	minter  *minter
	streams []*stream
	// offered is closed when the load is over.
	offered chan struct{}
	late    Lateness
}

// lateFrom is how late an offer must be to count as late: as the driver's largest lag.
const lateFrom = 10 * time.Millisecond

// newChannel makes a channel with its genesis block, which every peer has from joining.
func newChannel(c *Config, dir string, index int, orderer *member, peers []*member) (*channel, error) {
	chain, err := newChain(dir, channelName(index))
	if err != nil {
		return nil, err
	}
	ch := &channel{chain: chain, offered: make(chan struct{})}
	builder, err := mint.New(mint.Config{
		Channel: chain.channel, Client: peers[0].user.Identity, Endorsers: []*identity.Identity{peers[0].node.Identity},
		Orderer: orderer.node.Identity, Fresh: !c.Reused,
	})
	if err != nil {
		return ch, err
	}
	genesis, err := builder.Genesis()
	if err != nil {
		return ch, err
	}
	if err := chain.append(genesis); err != nil {
		return ch, err
	}
	chain.height.reach(uint64(firstBlock))
	ch.minter = newMinter(c, chain, builder, index)
	return ch, nil
}

// offer lets the channel's height grow when blocks are due, counted from load; the
// trace's times count from start.
func (ch *channel) offer(ctx context.Context, start, load time.Time, o driver.Observer) error {
	alarm := driver.NewAlarm()
	defer alarm.Close()
	for number := uint64(firstBlock); ; number++ {
		var b minted
		var more bool
		select {
		case b, more = <-ch.minter.coming:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !more {
			if err := ch.minter.err; err != nil {
				return fmt.Errorf("channel %s: %w", ch.chain.channel, err)
			}
			close(ch.offered)
			return nil
		}
		passed := time.Since(load)
		for due := time.Duration(b.due); passed < due; passed = time.Since(load) {
			alarm.Set(due - passed)
			select {
			case <-alarm.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		ch.late.add(passed - time.Duration(b.due))
		now := passed + load.Sub(start)
		for _, s := range ch.streams {
			for _, e := range [...]event.Event{
				{Kind: event.Offered, Value: int64(now)}, {Kind: event.Transactions, Value: b.transactions},
				{Kind: event.Bytes, Value: b.bytes}, {Kind: event.Writes, Value: b.writes},
			} {
				e.Stream, e.Block = s.index, event.BlockNum(number)
				o.Observe(e)
			}
		}
		ch.chain.height.reach(number + 1)
		ch.minter.room.Release(b.taken)
	}
}

// Lateness counts the blocks that an orderer has offered after their time.
type Lateness struct {
	// Blocks that were more than 10 ms late, and the most that one was late by.
	Blocks int
	Max    time.Duration
}

func (l *Lateness) add(late time.Duration) {
	l.Max = max(l.Max, late)
	if late > lateFrom {
		l.Blocks++
	}
}

// newOrderer makes the orderer's service. It reports to the streams of the network's own
// peers, whom it knows by their certificates, what is sent to them.
func newOrderer(c *Config, m *member, t trust, channels []*channel, sent func(*stream, deliver.Sent)) *server {
	s := newServer(c, m, t)
	chains, own := map[string]*chain{}, map[string]map[string]*stream{}
	for _, ch := range channels {
		name := ch.chain.channel
		chains[name], own[name] = ch.chain, map[string]*stream{}
		for _, st := range ch.streams {
			own[name][string(st.peer.node.Certificate.Raw)] = st
		}
	}
	deliverer := &deliver.Server{
		Ledgers: func(channel string) (deliver.Ledger, bool) {
			ledger, ok := chains[channel]
			return ledger, ok
		},
		Trust: t.identities,
		Hooks: deliver.Hooks{Sent: func(r *deliver.Request, block deliver.Sent) {
			s.count(r)
			if st := own[r.Seek.Channel][string(r.Creator.Certificate.Raw)]; st != nil {
				sent(st, block)
			}
		}},
	}
	s.register = func(g *grpc.Server) { deliverer.RegisterOrderer(g) }
	return s
}
