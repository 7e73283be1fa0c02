package network

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// capacityBlocks bounds the blocks of a measurement: they are made before it begins.
const capacityBlocks = 2000

// Capacity measures how many blocks a second each stream of the network commits when
// all channels have more than enough: the offered rate above which peers fall behind
// for ever. It runs the network, with temporary ledgers, for about the given time beside
// that of making the blocks; one of a second is good to some ten per cent, since ledgers
// start fast and disks vary.
func Capacity(ctx context.Context, cfg Config, within time.Duration) (perSecond float64, err error) {
	cfg.Load = Load{Rate: MaxRate, Blocks: capacityBlocks}
	cfg.Dir, cfg.Linger, cfg.Listen = "", false, Listen{}
	n, err := Open(cfg)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if err := n.Prepare(ctx); err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var last lastCommit
	s, err := n.Run(limited, &last)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return 0, err
	}
	blocks, end := 0, event.Time(0)
	for i, r := range s.Streams {
		blocks += r.Committed
		end = max(end, last.at[i])
	}
	if blocks == 0 {
		return 0, fmt.Errorf("network: no block was committed within %v", within)
	}
	return float64(blocks) / float64(len(s.Streams)) / end.Duration().Seconds(), nil
}

// lastCommit keeps the instant of each stream's last commit. A stream's events come
// from one goroutine, and are read when that has ended.
type lastCommit struct{ at [MaxStreams]event.Time }

func (l *lastCommit) Observe(e event.Event) {
	if e.Kind == event.Committed {
		l.at[e.Stream] = event.Time(e.Value)
	}
}
