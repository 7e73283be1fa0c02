package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/traces"
)

// tool is the name of this program in the header of a trace.
var tool = "blockreel " + moduleVersion(buildInfo())

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, the commit, Go's version and the trace format",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(c.OutOrStdout(), versionText(buildInfo()))
			return err
		},
	}
}

// buildInfo is empty if the program was built without module support.
func buildInfo() *debug.BuildInfo {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info
	}
	return &debug.BuildInfo{}
}

// moduleVersion is "devel" for a build without a version, such as a test.
func moduleVersion(info *debug.BuildInfo) string {
	if v := strings.Trim(info.Main.Version, "()"); v != "" {
		return v
	}
	return "devel"
}

func versionText(info *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := settings["vcs.revision"]
	switch {
	case commit == "":
		commit = "unknown"
	case settings["vcs.modified"] == "true":
		commit += ", with uncommitted changes"
	}
	return fmt.Sprintf("blockreel %s\ncommit: %s\ngo: %s %s/%s\ntrace format: %d.%d\n", moduleVersion(info), commit,
		info.GoVersion, settings["GOOS"], settings["GOARCH"], traces.FormatMajor, traces.FormatMinor)
}
