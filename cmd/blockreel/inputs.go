package main

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// spareInputs refuses an output that is one of the files which the command reads, under
// this name or another (a link, another spelling, standard input that comes from it). Every
// command that reads a file and writes one asks before it does anything.
func spareInputs(c *cobra.Command, output string, inputs ...string) error {
	out, err := os.Stat(output)
	if err != nil || !out.Mode().IsRegular() { // nothing is lost
		return nil
	}
	for _, path := range inputs {
		in, err := os.Stat(path)
		if stdin, ok := c.InOrStdin().(*os.File); ok && path == "-" {
			in, err = stdin.Stat()
		}
		switch {
		case err != nil || !os.SameFile(in, out):
		case path == output:
			return usagef(c, "%s is read here, and would be overwritten: choose another output", output)
		case path == "-":
			return usagef(c, "%s is what standard input reads, and would be overwritten: choose another output", output)
		default:
			return usagef(c, "%s is the same file as %s, which is read here and would be overwritten: choose another output", output, path)
		}
	}
	return nil
}

// emptyMeansNone marks a flag whose empty value says something.
func emptyMeansNone(f *pflag.FlagSet, name string) {
	f.Lookup(name).Annotations = map[string][]string{emptyMeaning: {"none"}}
}

const emptyMeaning = "blockreel_empty"

// refuseEmpty refuses arguments and values of flags that are empty, which an unset shell
// variable leaves behind: taken for flags that are not given they would change the answer.
func refuseEmpty(c *cobra.Command, args []string) (err error) {
	if c.DisableFlagParsing { // completion, which asks what may follow
		return nil
	}
	if slices.Contains(args, "") {
		return usagef(c, "an argument is empty: write %s (was a shell variable not set?)", c.UseLine())
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		empty := f.Value.Type() == "string" && f.Value.String() == "" // others parse what they get
		if list, ok := f.Value.(pflag.SliceValue); ok {
			empty = len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), "")
		}
		if empty && f.Annotations[emptyMeaning] == nil && err == nil {
			err = usagef(c, "--%s is empty: give it a value, or leave it out (was a shell variable not set?)", f.Name)
		}
	})
	return err
}

// inNaturalOrder puts n2.reel before n10.reel if the files are in alphabetical order, as
// from a pattern of the shell. Files in another order stay as the user has named them.
func inNaturalOrder(paths []string) []string {
	if !slices.IsSorted(paths) {
		return paths
	}
	return slices.SortedStableFunc(slices.Values(paths), compareNaturally)
}

// compareNaturally compares numbers within the names by their value.
func compareNaturally(a, b string) int {
	const digits = "0123456789"
	for a != "" && b != "" {
		restA, restB := strings.TrimLeft(a, digits), strings.TrimLeft(b, digits)
		m, n := strings.TrimLeft(a[:len(a)-len(restA)], "0"), strings.TrimLeft(b[:len(b)-len(restB)], "0")
		if len(restA) == len(a) || len(restB) == len(b) { // at most one begins with a number
			m, n, restA, restB = a[:1], b[:1], a[1:], b[1:]
		}
		if c := cmp.Or(cmp.Compare(len(m), len(n)), cmp.Compare(m, n)); c != 0 {
			return c
		}
		a, b = restA, restB
	}
	return cmp.Compare(len(a), len(b))
}
