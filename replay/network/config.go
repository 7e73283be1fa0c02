package network

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"time"

	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
)

// MaxStreams bounds channels × peers: each has a ledger and two goroutines.
const MaxStreams = 256

// Config is a network and its load. Begin with Default: a zero means zero, where
// nothing else is said.
type Config struct {
	// Load is that of each channel.
	Load
	// Channels and Peers: every peer has every channel. At least 1 each.
	Channels, Peers int
	// Transactions, Writes and Bytes of a block. Writes are those of all
	// transactions together.
	Transactions, Writes, Bytes int
	// Preset is the name of the preset that Pipeline was made of; it is only told.
	Preset string
	// Pipeline of every stream.
	Pipeline pipeline.Config
	// Ledger is the spec of the peers' ledgers, as ledger.Open takes it.
	Ledger string
	// Dir holds the ledgers, one directory for each channel on each peer, and must
	// not hold any yet. Empty: a temporary directory, which Close removes.
	Dir string
}

// inFlight is what a gRPC stream of Fabric holds between the orderer's Send and the
// peer's intake: 0.4 to 0.6 MB of 33 kB blocks were measured behind a shut door.
const inFlight = 512 << 10

// Pipeline is that of a stock peer on a stream with gRPC's window, so that a shut door
// blocks the orderer's Send; the zero Config when there is no such preset.
func Pipeline(preset string) pipeline.Config {
	p, ok := pipeline.Preset(preset)
	if ok {
		p.Link.Window = inFlight
	}
	return p
}

// Default is one channel and one stock Fabric 2.x peer with a Badger ledger, at 100
// blocks of ten transactions a second for ten seconds.
func Default() Config {
	p := Pipeline(pipeline.Fabric2x)
	return Config{
		Load:     Load{Profile: Constant, Rate: 100, Duration: 10 * time.Second, Seed: 1},
		Channels: 1, Peers: 1,
		Transactions: 10, Writes: 20, Bytes: 33_000,
		Preset: pipeline.Fabric2x, Pipeline: p,
		Ledger: ledger.Badger,
	}
}

// Validate says what is wrong with the configuration, and fills in what a zero stands for.
func (c *Config) Validate() error {
	if err := c.Load.validate(); err != nil {
		return err
	}
	if err := c.Pipeline.Validate(); err != nil {
		return err
	}
	if c.Pipeline.Policy.NonBlocking {
		return errors.New("a non-blocking buffer drops blocks that the embedded orderer offers only once: choose a blocking one")
	}
	spec, err := ledger.Parse(c.Ledger)
	if err != nil {
		return err
	}
	c.Ledger = spec
	for _, f := range []struct {
		name             string
		value, low, high int
	}{
		{"channels", c.Channels, 1, MaxStreams}, {"peers", c.Peers, 1, MaxStreams},
		{"streams (channels × peers)", c.Channels * c.Peers, 1, MaxStreams},
		{"transactions per block", c.Transactions, 0, ledger.MaxBlockTransactions},
		{"writes per block", c.Writes, 0, ledger.MaxBlockWrites},
		{"bytes per block", c.Bytes, 0, ledger.MaxBlockBytes},
	} {
		if f.value < f.low || f.value > f.high {
			return fmt.Errorf("%d %s: choose %d to %d", f.value, f.name, f.low, f.high)
		}
	}
	return nil
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
	settingWrites       = "load_writes_per_block"
	settingBytes        = "load_bytes_per_block"
)

// settings are those of every stream: all that it takes to do the run again.
func (c *Config) settings() traces.Settings {
	s := traces.Settings{}
	maps.Copy(s, c.Pipeline.Settings())
	if c.Preset != "" {
		s[traces.SettingPreset] = c.Preset
	}
	s[traces.SettingLedger] = c.Ledger
	s[settingProfile] = string(c.Profile)
	s[settingRate] = strconv.FormatFloat(c.Rate, 'g', -1, 64)
	s.SetInt(settingTransactions, int64(c.Transactions))
	s.SetInt(settingWrites, int64(c.Writes))
	s.SetInt(settingBytes, int64(c.Bytes))
	switch c.Profile {
	case Poisson:
		s[settingSeed] = strconv.FormatUint(c.Seed, 10)
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

// streams lists the streams, channel by channel.
func (c *Config) streams() []traces.Stream {
	var streams []traces.Stream
	for channel := range c.Channels {
		for peer := range c.Peers {
			streams = append(streams, traces.Stream{
				Channel:  "ch" + strconv.Itoa(channel+1),
				Orderer:  "orderer",
				Peer:     "peer" + strconv.Itoa(peer),
				Settings: c.settings(),
			})
		}
	}
	return streams
}

// channel is the index of a stream's channel.
func (c *Config) channel(stream int) int { return stream / c.Peers }

func ledgerDir(dir string, s traces.Stream) string { return filepath.Join(dir, s.Peer, s.Channel) }
