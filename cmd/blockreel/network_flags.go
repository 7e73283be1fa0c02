package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/replay/pipeline"
)

// networkFlags describe an embedded network and its load.
type networkFlags struct {
	cfg        network.Config
	perBlock   countRange // transactions
	blockBytes byteSize
	buffer     int
	noSync     bool
}

func newNetworkFlags(c *cobra.Command) *networkFlags {
	n := &networkFlags{cfg: network.Default()}
	n.blockBytes = byteSize(n.cfg.Bytes)
	n.perBlock = countRange{n.cfg.Transactions, n.cfg.Transactions}
	cfg, f := &n.cfg, c.Flags()
	f.StringVar((*string)(&cfg.Profile), "profile", string(cfg.Profile), "arrival profile: constant, poisson, burst or ramp")
	f.Float64Var(&cfg.Rate, "rate", cfg.Rate, "blocks a second on each channel (mean; end of a ramp)")
	f.Float64Var(&cfg.StartRate, "start-rate", 0, "blocks a second at the start of a ramp")
	f.IntVar(&cfg.BurstBlocks, "burst-blocks", 100, "blocks of one burst")
	f.IntVar(&cfg.Blocks, "blocks", 0, "end the offers after so many blocks on each channel")
	f.Var(&n.perBlock, "tx-per-block", "transactions of a block, or a range of which each block draws its own (1..50)")
	f.IntVar(&cfg.Writes, "writes", 0, "state writes of a block (2 a transaction unless given)")
	f.Var(&n.blockBytes, "block-bytes", "size of a block (of more than 10 transactions or a range of them about 3.2 kB each unless given)")
	f.IntVar(&cfg.Channels, "channels", cfg.Channels, "channels")
	f.IntVar(&cfg.Orgs, "orgs", cfg.Orgs, "organizations; the peer of each has every channel")
	f.IntVar(&cfg.Orgs, "peers", cfg.Orgs, "the same as --orgs: give one of the two")
	f.IntVar(&n.buffer, "buffer", 0, "N, peer.gossip.state.blockBufferSize (the preset's unless given)")
	f.StringVar(&cfg.Preset, "preset", cfg.Preset, "pipeline: "+strings.Join(pipeline.Presets(), ", "))
	f.StringVar(&cfg.Ledger, "ledger", cfg.Ledger, "ledger of the peers: "+ledgerNames())
	f.BoolVar(&n.noSync, "no-sync", false, noSyncUsage)
	f.StringVar(&cfg.Dir, "dir", "", "directory to keep keys, blocks and ledgers in (a temporary one unless given)")
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "seed of the poisson profile, and of the blocks of a range of --tx-per-block")
	return n
}

// config gives what the flags say, checked.
func (n *networkFlags) config(c *cobra.Command) (network.Config, error) {
	cfg := n.cfg
	var ok bool
	if cfg.Pipeline, ok = pipeline.Preset(cfg.Preset); !ok {
		return cfg, usagef(c, "--preset %q is unknown; choose one of %s", cfg.Preset, strings.Join(pipeline.Presets(), ", "))
	}
	if c.Flags().Changed("orgs") && c.Flags().Changed("peers") {
		return cfg, usagef(c, "--orgs and --peers say the same, as each organization has one peer: give one of the two")
	}
	if c.Flags().Changed("buffer") {
		if n.buffer < 1 {
			return cfg, usagef(c, "--buffer %d: choose 1 or more blocks", n.buffer)
		}
		cfg.Pipeline.Policy.N = n.buffer
	}
	if n.noSync {
		var err error
		if cfg.Ledger, err = withoutSync(c, cfg.Ledger); err != nil {
			return cfg, err
		}
	}
	if err := n.shapes(c, &cfg); err != nil {
		return cfg, err
	}
	if err := cfg.Validate(); err != nil {
		return cfg, usagef(c, "%w", err)
	}
	for flag, profile := range map[string]network.Profile{"start-rate": network.Ramp, "burst-blocks": network.Burst} {
		if c.Flags().Changed(flag) && cfg.Profile != profile {
			return cfg, usagef(c, "--%s belongs to --profile %s", flag, profile)
		}
	}
	if c.Flags().Changed("seed") && cfg.Profile != network.Poisson && !n.perBlock.isRange() {
		return cfg, usagef(c, "--seed belongs to --profile %s, or to a range of --tx-per-block", network.Poisson)
	}
	return cfg, nil
}

// shapes sets what blocks hold. With a range of transactions writes and bytes follow from
// these, unless they are given.
func (n *networkFlags) shapes(c *cobra.Command, cfg *network.Config) error {
	writes := cfg.Writes
	if n.perBlock.isRange() {
		cfg.Shapes = network.Mixed(n.perBlock.from, n.perBlock.to)
	} else {
		of := network.Mixed(n.perBlock.from, n.perBlock.from)
		cfg.Shapes = network.Shapes{Transactions: n.perBlock.from, Writes: 2 * n.perBlock.from, Bytes: max(int(n.blockBytes), of.Bytes+of.BytesEach*n.perBlock.from)}
	}
	if c.Flags().Changed("writes") {
		cfg.Writes, cfg.WritesEach = writes, 0
	}
	if c.Flags().Changed("block-bytes") {
		cfg.Bytes, cfg.BytesEach = int(n.blockBytes), 0
		if least := cfg.LeastBytes(); cfg.Bytes < least*95/100 {
			return usagef(c, "--block-bytes %d: %s and %s of a block take about %s without any payload: give that or more",
				cfg.Bytes, analysis.FormatCounted(int64(n.perBlock.to), "transaction"), analysis.FormatCounted(int64(cfg.Writes+cfg.WritesEach*n.perBlock.to), "write"), analysis.FormatBytes(int64(least)))
		}
	}
	return nil
}

const noSyncUsage = "let ledgers leave durability to the operating system (option sync=false); the trace says so"

// withoutSync makes a ledger one that does not wait for the disk.
func withoutSync(c *cobra.Command, spec string) (string, error) {
	_, options, _ := strings.Cut(spec, ":")
	b, known := ledger.Find(spec)
	switch {
	case !known: // whoever opens it says so
		return spec, nil
	case b.InMemory: // there is no disk to wait for
		return spec, nil
	case !b.IsStore() || strings.Contains(options, "sync="):
		return "", usagef(c, "--no-sync: %s is not a ledger that could not wait for the disk, or says already whether it does", b.Name)
	case !b.HasOption(func(o ledger.Option) bool { return o.Name == "sync" }):
		return "", usagef(c, "--no-sync: %s has no option sync (see blockreel ledger list)", b.Name)
	}
	return ledger.With(spec, "sync=false"), nil
}

func inMemory(spec string) bool {
	b, _ := ledger.Find(spec)
	return b.InMemory
}

// ledgerNames lists the ledgers that can be opened.
func ledgerNames() string {
	var names []string
	for _, b := range ledger.List() {
		if b.IsStore() {
			names = append(names, b.Name)
		}
	}
	return strings.Join(names, ", ") + `; options follow as in badger:sync=false ("blockreel ledger list" names them)`
}
