// Command blockreel records block delivery in Hyperledger Fabric, replays it with
// other buffers and ledgers, and draws the charts. One file holds one command; a
// command binds flags to a Config and makes one call of a library.
//
// Data goes to stdout, talk goes to stderr. Exit codes: 0 good, 1 failed, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// An interrupt ends the work in order; one that comes later ends the program at
	// once. A second one at the same time is the same: some senders signal twice.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program without the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	out := &checkedWriter{w: stdout}
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && !errors.Is(out.err, syscall.EPIPE) { // a reader that has had enough is no failure
		err = out.err
	}
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(stderr, "blockreel: interrupted")
		return 1
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "blockreel: %v\nSee '%s --help'.\n", err, usage.command)
		return 2
	default:
		fmt.Fprintf(stderr, "blockreel: %v\n", err)
		return 1
	}
}

// checkedWriter remembers that a write has failed, so that no command can lose its
// output unnoticed.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "blockreel",
		Short: "Record, replay and chart block delivery in Hyperledger Fabric",
		Long: `blockreel records how blocks travel from an orderer through a peer's payloads buffer
into its ledger, keeps the run as a small trace, and plays it again with other buffer
sizes and ledgers, so that "would a larger buffer help?" has an answer with numbers.`,
		Example: `  blockreel demo
  blockreel record logs --orderer-log orderer.log --peer-log peer.log -o run.reel
  blockreel stats run.reel
  blockreel replay run.reel --buffer 2,20,200 -o what-if
  blockreel sweep run.reel --buffer 1..500 --plot sweep.png
  blockreel plot run.reel -o charts`,
		Version:       moduleVersion(buildInfo()),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          usageArgs(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },

		PersistentPreRunE: refuseEmpty,
	}
	root.SetVersionTemplate(versionText(buildInfo()))
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		newDemo(), newRun(), newRecord(),
		newAttach(), newMerge(), newStrip(),
		newInfo(), newVerify(), newCat(), newCut(), newLedger(),
		newReplay(), newCalibrate(), newSweep(), newServe(),
		newStats(), newPlot(), newVersion(),
	)
	return root
}

// usageError is a command line that cannot be understood: exit code 2.
type usageError struct {
	command string
	error
}

func (e usageError) Unwrap() error { return e.error }

// usagef is an error in how the command was called.
func usagef(c *cobra.Command, format string, args ...any) error {
	return usageError{c.CommandPath(), fmt.Errorf(format, args...)}
}

// usageArgs makes a wrong number of arguments an error of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		err := check(c, args)
		switch {
		case err == nil:
			return nil
		case strings.HasPrefix(err.Error(), "unknown command"):
			return usageError{c.CommandPath(), err}
		case len(args) == 0:
			return usagef(c, "nothing is named: write %s", c.UseLine())
		}
		return usagef(c, "%s is not what it takes: write %s", strings.Join(args, " "), c.UseLine())
	}
}
