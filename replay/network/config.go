package network

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
)

// MaxStreams bounds channels × organizations: each has a connection and a ledger.
const MaxStreams = 256

// Defaults of how far the orderer makes its blocks ahead of their time.
const (
	defaultAheadBlocks = 8192
	defaultAheadBytes  = 256 << 20
	maxAheadBlocks     = 1 << 20
)

// Config is a network and its load. Begin with Default: a zero means zero, where
// nothing else is said.
type Config struct {
	// Load is that of each channel.
	Load
	// Channels and Orgs, at least 1 each: every organization has one peer, which leads
	// it and has joined every channel.
	Channels, Orgs int
	// Shapes are those of every channel's blocks.
	Shapes
	// Reused takes transactions from a pool instead of signing each: blocks cost the
	// orderer little, and the ids of transactions come back.
	Reused bool
	// AheadBlocks and AheadBytes bound the blocks of a channel that the orderer makes
	// before their time, on disk. 0 means 8,192 blocks and 256 MiB.
	AheadBlocks, AheadBytes int
	// Preset is the name of the preset that Pipeline was made of; it is only noted in the trace.
	Preset string
	// Pipeline of every peer. Its Link must be zero: the link is real.
	Pipeline pipeline.Config
	// Ledger is the spec of the peers' ledgers, as ledger.Open takes it.
	Ledger string
	// Dir contains the keys, the orderer's blocks and the peers' ledgers, one directory for
	// each channel on each peer, and must not contain those of an earlier run. Empty: a
	// temporary directory, which Close removes.
	Dir string
	// Listen says where the nodes listen.
	Listen Listen
	// MutualTLS makes the nodes demand certificates of their clients.
	MutualTLS bool
	// Linger keeps Run going when the load is over and committed, until its context ends.
	Linger bool

	// open opens a ledger. Nil: ledger.Open. Tests have others.
	open func(spec string, c ledger.Config) (store, error)
}

// Listen are the addresses of the nodes' services, host:port each; port 0 is any.
type Listen struct {
	// Orderer's; empty means 127.0.0.1:0.
	Orderer string
	// Peers, one for each organization. Nil means 127.0.0.1:0 for all.
	Peers []string
	// Public allows addresses that other machines can reach.
	Public bool
}

// Default is one channel and one stock Fabric 2.x peer with a Badger ledger, at 100
// blocks of ten transactions a second for ten seconds.
func Default() Config {
	p, _ := pipeline.Preset(pipeline.Fabric2x)
	return Config{
		Load:     Load{Profile: Constant, Rate: 100, Duration: 10 * time.Second, Seed: 1},
		Channels: 1, Orgs: 1,
		Shapes: Shapes{Transactions: 10, Writes: 20, Bytes: 33_000},
		Preset: pipeline.Fabric2x, Pipeline: p,
		Ledger: ledger.Badger,
	}
}

// Validate says what is wrong with the configuration, and fills in what a zero stands for.
func (c *Config) Validate() error {
	if err := c.Load.validate(); err != nil {
		return err
	}
	if err := c.Shapes.validate(); err != nil {
		return err
	}
	if err := c.Pipeline.Validate(); err != nil {
		return err
	}
	if c.Pipeline.Link != (pipeline.Link{}) {
		return errors.New("the embedded network's link is a real one: it has no latency, bandwidth or window to set")
	}
	spec, err := ledger.Parse(c.Ledger)
	if err != nil {
		return err
	}
	c.Ledger = spec
	if c.AheadBlocks == 0 {
		c.AheadBlocks = defaultAheadBlocks
	}
	if c.AheadBytes == 0 {
		c.AheadBytes = defaultAheadBytes
	}
	for _, f := range []struct {
		name             string
		value, low, high int
	}{
		{"channels", c.Channels, 1, MaxStreams}, {"organizations", c.Orgs, 1, MaxStreams},
		{"streams (channels × organizations)", c.Channels * c.Orgs, 1, MaxStreams},
		{"blocks ahead", c.AheadBlocks, 1, maxAheadBlocks},
		{"bytes ahead", c.AheadBytes, 1, min(1<<40, math.MaxInt)},
	} {
		if err := inRange(f.name, f.value, f.low, f.high); err != nil {
			return err
		}
	}
	return c.Listen.validate(c.Orgs)
}

func (l *Listen) validate(peers int) error {
	const anyPort = "127.0.0.1:0"
	if l.Orderer == "" {
		l.Orderer = anyPort
	}
	if l.Peers == nil {
		for range peers {
			l.Peers = append(l.Peers, anyPort)
		}
	}
	if len(l.Peers) != peers {
		return fmt.Errorf("%d addresses for %d peers: give one for each organization", len(l.Peers), peers)
	}
	for _, address := range append([]string{l.Orderer}, l.Peers...) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("address %q: write host:port: %w", address, err)
		}
		if !l.Public && !isLoopback(host) {
			return fmt.Errorf("address %q can be reached from other machines: say that this is wanted, or listen on 127.0.0.1", address)
		}
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Names of the settings that a live run adds to its trace.
const (
	settingProfile      = "load_profile"
	settingRate         = "load_rate_blocks_per_s"
	settingStartRate    = "load_start_rate_blocks_per_s"
	settingBurst        = "load_burst_blocks"
	settingBlocks       = "load_blocks"
	settingDuration     = "load_duration_ns"
	settingSeed         = "load_seed"
	settingTransactions = "load_transactions_per_block"
	settingMost         = "load_max_transactions_per_block"
	settingWrites       = "load_writes_per_block"
	settingWritesEach   = "load_writes_per_transaction"
	settingBytes        = "load_bytes_per_block"
	settingBytesEach    = "load_bytes_per_transaction"
	settingReused       = "load_reused_transactions"
)

// settings are those of every stream: all that it takes to do the run again.
func (c *Config) settings() traces.Settings {
	s := traces.Settings{}
	maps.Copy(s, c.Pipeline.PeerSettings())
	if c.Preset != "" {
		s[traces.SettingPreset] = c.Preset
	}
	s[traces.SettingLedger] = c.Ledger
	s[settingProfile] = string(c.Profile)
	s[settingRate] = strconv.FormatFloat(c.Rate, 'g', -1, 64)
	least, most := c.of(c.Transactions), c.of(c.most())
	for name, span := range map[string][2]int{
		settingTransactions: {least.Transactions, most.Transactions}, settingWrites: {least.Writes, most.Writes}, settingBytes: {least.Bytes, most.Bytes},
	} {
		s[name] = strconv.Itoa(span[0])
		if span[1] != span[0] {
			s[name] += ".." + strconv.Itoa(span[1])
		}
	}
	for name, more := range map[string]int{settingMost: c.MaxTransactions, settingWritesEach: c.WritesEach, settingBytesEach: c.BytesEach} {
		if more != 0 {
			s.SetInt(name, int64(more))
		}
	}
	if c.Profile == Poisson || c.MaxTransactions != 0 {
		s[settingSeed] = strconv.FormatUint(c.Seed, 10)
	}
	if c.Reused {
		s[settingReused] = "true"
	}
	switch c.Profile {
	case Burst:
		s.SetInt(settingBurst, int64(c.BurstBlocks))
	case Ramp:
		s[settingStartRate] = strconv.FormatFloat(c.StartRate, 'g', -1, 64)
	}
	if c.Blocks > 0 {
		s.SetInt(settingBlocks, int64(c.Blocks))
	}
	if c.Duration > 0 {
		s.SetInt(settingDuration, int64(c.Duration))
	}
	return s
}

func channelName(i int) string { return "ch" + strconv.Itoa(i+1) }
func peerName(org int) string  { return "peer0.org" + strconv.Itoa(org+1) }

const ordererName = "orderer"

// streams lists them channel by channel: stream i is that of channel i ÷ Orgs to the
// peer of organization i modulo Orgs.
func (c *Config) streams() []traces.Stream {
	var streams []traces.Stream
	for channel := range c.Channels {
		for org := range c.Orgs {
			streams = append(streams, traces.Stream{
				Channel: channelName(channel), Orderer: ordererName, Peer: peerName(org), Settings: c.settings(),
			})
		}
	}
	return streams
}

func ledgerDir(dir string, s traces.Stream) string { return filepath.Join(dir, s.Peer, s.Channel) }
