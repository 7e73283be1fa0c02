package fabriclog

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/blockreel/blockreel/traces"
)

func (s *stream) warn(format string, args ...any) {
	s.notes = append(s.notes, traces.Note{Kind: traces.NoteWarning, Text: fmt.Sprintf(format, args...)})
}

func (s *stream) fact(format string, args ...any) {
	s.notes = append(s.notes, traces.Note{Kind: traces.NoteFact, Text: fmt.Sprintf(format, args...)})
}

// settle fills in the stream's settings from the banners.
func (l *logs) settle(s *stream) {
	set := traces.Settings{}
	s.Settings = set
	set.SetInt(traces.SettingResolution, s.coarsest)
	if s.coarsest >= 1e9 {
		s.warn("times have a resolution of %d s: shorter waits and services cannot be seen", s.coarsest/1e9)
	}
	b := l.service.banner
	if s.peer != nil {
		b = s.peer.banner
		if b.version == "" {
			b.version = l.service.banner.version
		}
	}
	if b.version == "" {
		return
	}
	set[traces.SettingFabricVersion] = b.version
	if name := Preset(b.version); name != "" {
		set[traces.SettingPreset] = name
	}
	if s.peer == nil {
		return
	}
	s.settleBuffer(b)
	if b.database != "" {
		set[traces.SettingStateDatabase] = b.database
	}
	switch n, err := strconv.Atoi(b.pool); {
	case err == nil && n > 0:
		set.SetInt(traces.SettingValidatorPool, int64(n))
	case b.configured:
		set[traces.SettingValidatorPool] = "cpus"
		s.fact("peer.validatorPoolSize is not set: the peer validates with as many workers as it has CPUs, which its log does not tell")
	}
}

// settleBuffer sets N as printed, or the version's default.
func (s *stream) settleBuffer(b banner) {
	if n, err := strconv.Atoi(b.buffer); err == nil && n > 0 {
		s.Settings.SetInt(traces.SettingBuffer, int64(n))
		return
	}
	n := defaultBuffer(b.version)
	s.Settings.SetInt(traces.SettingBuffer, int64(n))
	s.fact("the peer's log does not print blockBufferSize: %d is the default of Fabric %s", n, b.version)
}

// resolutionOf returns the step of times with so many digits after the second.
func resolutionOf(digits int) int64 { return int64(math.Pow10(9 - digits)) }

// tellStamps writes down what must be known about the logs' timestamps.
func (l *logs) tellStamps() {
	for _, f := range l.stamps {
		if f.unknown != "" {
			l.warn("%s: the time zone %s is not known here and was taken as %v; name the location of these logs", f.path, f.unknown, f.location())
		} else if f.unzoned > 0 {
			l.fact("%s: timestamps carry no zone and were taken as %v", f.path, f.location())
		}
		if f.outer > 0 {
			l.fact("%s: %d messages are dated by the log collector's timestamp, since Fabric's own has no date or no fraction of a second", f.path, f.outer)
		}
	}
}

func (s *stamps) location() string {
	if s.loc == nil {
		return "UTC"
	}
	return s.loc.String()
}

// resolve sets the resolution of the stream's times: the coarsest log decides.
func (l *logs) resolve(s *stream) {
	s.resolution, s.coarsest = 1, 1
	for _, f := range l.stamps {
		step := resolutionOf(f.digits)
		if slices.Contains(f.peers, s.peer) {
			s.resolution = max(s.resolution, step)
		} else if !f.orderer {
			continue
		}
		s.coarsest = max(s.coarsest, step)
	}
}

// tellOthers names the channels that only the orderers' logs hold.
func (l *logs) tellOthers(streams []*stream) {
	for _, channel := range slices.Sorted(maps.Keys(l.service.channels)) {
		if l.wanted(channel) && !slices.ContainsFunc(streams, func(s *stream) bool { return s.Channel == channel }) {
			l.fact("channel %s is in the orderer's log and in no peer's: it was left out", channel)
		}
	}
}
