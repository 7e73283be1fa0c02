package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/replay/ledger"
)

func newLedger() *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Look at ledgers: what kinds there are, and what is in one",
		Args:  usageArgs(cobra.NoArgs),
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newLedgerList(), newLedgerGet())
	return c
}

func newLedgerList() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "list",
		Short: "List the kinds of ledgers with their options",
		Long: `List prints what --ledger may be: a name, or a name with options as in
badger:sync=false,compression=zstd. Sizes take a unit: 64MB.

All ledgers judge alike: every endorsement must verify, though Fabric asks the channel's policy,
and certificates are not checked against its organizations. If a verdict depends on what a
ledger does not store, the peer's own code is taken over; differences are counted.

Only the memory ledger keeps blocks in memory. A process that committed 3,000 blocks of 200 kB had
at most 126 MB of memory with it, 85 MB with pebble and less with the others. badger and bbolt map
their files, whose pages are resident until the system needs the room.`,
		Example: `  blockreel ledger list
  blockreel ledger list --json`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON {
				return report.JSON(c.OutOrStdout(), describeLedgers())
			}
			return printLedgers(c.OutOrStdout(), describeLedgers())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

type ledgerInfo struct {
	Name    string         `json:"name"`
	About   string         `json:"about"`
	Durable string         `json:"durability"`
	Stages  string         `json:"stages"`
	Limits  string         `json:"limits,omitempty"`
	Stores  bool           `json:"stores"`
	Memory  bool           `json:"memory"`
	Options []ledgerOption `json:"options"`
}

type ledgerOption struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	Default string   `json:"default"`
	Values  []string `json:"values,omitempty"`
	// Min and Max bound a number, and a size in bytes.
	Min *int64 `json:"min,omitempty"`
	Max *int64 `json:"max,omitempty"`
	// Range is the same for people.
	Range string `json:"range,omitempty"`
	About string `json:"about"`
}

func describeLedgers() []ledgerInfo {
	var all []ledgerInfo
	for _, b := range ledger.List() {
		about := ledgerInfo{
			Name: b.Name, About: b.About, Durable: b.Durability, Stages: b.Timing, Limits: b.Limits, Stores: b.IsStore(), Memory: b.InMemory, Options: []ledgerOption{},
		}
		if b.HasOption(func(o ledger.Option) bool { return o.Name == "sync" }) {
			about.Durable += "; not with sync=false"
		}
		for _, o := range b.Options {
			option := ledgerOption{Name: o.Name, Kind: string(o.Kind), Default: o.Default, Values: o.Values, Range: o.Range(), About: o.About}
			if option.Range != "" {
				option.Min, option.Max = &o.Min, &o.Max
			}
			about.Options = append(about.Options, option)
		}
		all = append(all, about)
	}
	return all
}

func printLedgers(w io.Writer, all []ledgerInfo) error {
	for i, l := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s\n", l.Name, l.About)
		if l.Durable != "" {
			fmt.Fprintf(w, "  durability: %s\n", l.Durable)
		}
		fmt.Fprintf(w, "  stage times: %s\n", l.Stages)
		if l.Limits != "" {
			fmt.Fprintf(w, "  limits: %s\n", l.Limits)
		}
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, o := range l.Options {
			kind := o.Kind
			if len(o.Values) > 0 {
				kind = strings.Join(o.Values, "|")
			}
			switch {
			case o.Range != "":
				kind += " " + o.Range
			case o.Kind == string(ledger.Duration):
				kind += " above 0"
			}
			fmt.Fprintf(tw, "  %s=%s\t%s\t%s\n", o.Name, o.Default, kind, o.About)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func newLedgerGet() *cobra.Command {
	spec, dir, asJSON := "", "", false
	c := &cobra.Command{
		Use:   "get --dir DIR height | block NUMBER|HASH | tx ID | state NAMESPACE KEY | history NAMESPACE KEY",
		Short: "Read from a ledger",
		Long: `Get reads a ledger that was kept, as "record run --dir" and "replay --keep" leave it: how high
it is, a block by its number or the hash of its header, a transaction by its id, the newest
value of a key with its version, or all values that a key has had, oldest first. Keys and
namespaces are those of the chaincode, and "block" lists those that its transactions write,
also the writes of transactions that are not valid, which the state never had: they are
marked as not applied. "\x00" in a key stands for a zero byte. Nothing in the directory is
changed. Its files tell what kind of ledger it is; --ledger is for options, as of a CouchDB
that is elsewhere.`,
		Example: `  blockreel record run --rate 400 --blocks 20 --dir ledgers -o run.reel
  blockreel ledger get --dir ledgers/peer0.org1/ch1 height
  blockreel ledger get --dir ledgers/peer0.org1/ch1 block 12
  KEY=$(blockreel ledger get --dir ledgers/peer0.org1/ch1 block 12 | grep -m 1 -o 'asset[0-9a-f]*')
  blockreel ledger get --dir ledgers/peer0.org1/ch1 state basic $KEY
  blockreel ledger get --dir ledgers/peer0.org1/ch1 --json history basic $KEY`,
		RunE: func(c *cobra.Command, args []string) error {
			ask, err := ledgerQuestion(c, args)
			if err != nil {
				return err
			}
			if dir == "" {
				return usagef(c, "which ledger? Give its directory with --dir")
			}
			if spec != "" {
				if spec, err = ledger.Parse(spec); err != nil {
					return usageError{c.CommandPath(), err}
				}
			}
			if spec, err = ledgerIn(c, dir, spec); err != nil {
				return err
			}
			return readLedger(c, spec, dir, func(l *ledger.Ledger) error {
				got, err := ask(c.Context(), l)
				if errors.Is(err, ledger.ErrNotFound) {
					return fmt.Errorf("%w, which has %s", err, newHeightInfo(l).blocks())
				}
				if err != nil {
					return err
				}
				if asJSON {
					return report.JSON(c.OutOrStdout(), got)
				}
				return got.print(c.OutOrStdout())
			})
		},
	}
	c.SetFlagErrorFunc(dashed)
	f := c.Flags()
	f.StringVar(&spec, "ledger", "", "the ledger's kind with options for reading it, as in couchdb:url=http://db:5984 (what the directory holds unless given)")
	f.StringVar(&dir, "dir", "", "the ledger's directory")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// readLedger lets use have a ledger that is there, and changes nothing.
func readLedger(c *cobra.Command, spec, dir string, use func(*ledger.Ledger) error) error {
	l, err := ledger.OpenContext(c.Context(), spec, ledger.Config{Dir: dir, ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(use(l), l.Close())
}

// ledgerIn is the spec of the ledger in a directory: what its files are of, unless it is given.
func ledgerIn(c *cobra.Command, dir, spec string) (string, error) {
	held := ledger.Holds(dir)
	switch {
	case !isDirectory(dir):
		return "", fmt.Errorf("--dir %s is no directory here", dir)
	case held == "":
		return "", fmt.Errorf("there is no ledger in %s%s", dir, otherPlaces(dir))
	case spec == "":
		return held, nil
	case inMemory(spec):
		return "", usagef(c, "--ledger %s: a ledger in memory leaves nothing to read, and %s has one of %s: leave out --ledger", spec, dir, held)
	}
	return spec, nil
}

// Ledgers that otherPlaces names, and how deep below the directory it looks for them.
const (
	placesNamed = 5
	placesDepth = 3
)

// otherPlaces says where ledgers are when dir itself has none: a network keeps one for each
// peer and channel, and a replay one for each setting.
func otherPlaces(dir string) string {
	var found []string
	for pattern, depth := "*", 0; depth < placesDepth; pattern, depth = filepath.Join(pattern, "*"), depth+1 {
		below, _ := filepath.Glob(filepath.Join(dir, pattern)) // a name with a bracket in it finds nothing
		for _, path := range below {
			if ledger.Holds(path) != "" {
				found = append(found, path)
			}
		}
	}
	switch n := len(found); {
	case n == 0:
		return ""
	case n == 1:
		return "; there is one in " + found[0]
	case n > placesNamed:
		return fmt.Sprintf("; there are %d below it: %s, …", n, strings.Join(found[:placesNamed], ", "))
	default:
		return "; there are some in " + strings.Join(found, ", ")
	}
}
