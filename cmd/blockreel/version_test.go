package main

import (
	"runtime/debug"
	"testing"
)

func TestVersionText(t *testing.T) {
	system := []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "arm64"}}
	commit := append(system, debug.BuildSetting{Key: "vcs.revision", Value: "0123abc"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	for want, info := range map[string]*debug.BuildInfo{
		"blockreel v1.2.3\ncommit: 0123abc, with uncommitted changes\ngo: go1.26.8 linux/arm64\ntrace format: 1.1\n": {
			GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: commit},
		"blockreel devel\ncommit: unknown\ngo: go1.26.8 linux/arm64\ntrace format: 1.1\n": {
			GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}, Settings: system},
	} {
		if got := versionText(info); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
}
