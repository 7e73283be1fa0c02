package pipeline

import (
	"fmt"
	"strconv"
	"time"
)

// Names of the settings under which a trace keeps a Config; all times in nanoseconds.
const (
	settingBuffer    = "buffer_blocks"
	settingMode      = "pipeline_mode" // Policy.Name
	settingRetry     = "pipeline_retry_ns"
	settingHand      = "pipeline_hand_blocks"
	settingFixed     = "pipeline_intake_fixed_ns"
	settingPerKiB    = "pipeline_intake_per_kib_ns"
	settingResume    = "pipeline_intake_resume_ns"
	settingWake      = "pipeline_wake_ns"
	settingLatency   = "pipeline_link_latency_ns"
	settingBandwidth = "pipeline_link_bandwidth_bytes_per_s"
	settingWindow    = "pipeline_link_window_bytes"
)

// field ties a name to a number of a Config.
type field struct {
	name  string
	value *int64
}

func ns(d *time.Duration) *int64 { return (*int64)(d) }

// peerFields begin with N.
func (c *Config) peerFields(n, hand *int64) []field {
	return []field{
		{settingBuffer, n}, {settingHand, hand},
		{settingRetry, ns(&c.Policy.Retry)},
		{settingFixed, ns(&c.Intake.Fixed)}, {settingPerKiB, ns(&c.Intake.PerKiB)}, {settingResume, ns(&c.Intake.Resume)},
		{settingWake, ns(&c.Wake)},
	}
}

func (c *Config) linkFields() []field {
	return []field{
		{settingLatency, ns(&c.Link.Latency)}, {settingBandwidth, &c.Link.Bandwidth}, {settingWindow, &c.Link.Window},
	}
}

// Settings returns c as settings of a trace: all of it, so that ParseSettings gives
// back the same Config. An unbounded buffer has no N.
func (c Config) Settings() map[string]string {
	s := c.PeerSettings()
	for _, f := range c.linkFields() {
		s[f.name] = strconv.FormatInt(*f.value, 10)
	}
	return s
}

// PeerSettings are Settings without the link: what is known of a peer whose blocks come
// over a real one. ParsePeerSettings reads them, ParseSettings does not.
func (c Config) PeerSettings() map[string]string {
	n, hand := int64(c.Policy.N), int64(c.Hand)
	s := map[string]string{settingMode: c.Policy.Name}
	for _, f := range c.peerFields(&n, &hand) {
		s[f.name] = strconv.FormatInt(*f.value, 10)
	}
	if !c.Policy.Bounded() {
		delete(s, settingBuffer)
	}
	return s
}

// ParseSettings reads what Settings wrote. It returns false when the settings hold no
// whole Config, as those of a trace of somebody else's pipeline.
func ParseSettings(settings map[string]string) (Config, bool, error) {
	c, ok, err := ParsePeerSettings(settings)
	if !ok || err != nil {
		return c, false, err
	}
	links := c.linkFields()
	if _, ok := settings[links[0].name]; !ok {
		return Config{}, false, nil
	}
	if err := parseFields(links, settings); err != nil {
		return c, false, err
	}
	if err := c.Validate(); err != nil {
		return c, false, fmt.Errorf("pipeline: settings of the trace: %w", err)
	}
	return c, true, nil
}

// ParsePeerSettings reads what PeerSettings wrote; the link is zero. It returns false
// when the settings do not hold all of a peer.
func ParsePeerSettings(settings map[string]string) (Config, bool, error) {
	var c Config
	mode, ok := settings[settingMode]
	if !ok {
		return c, false, nil
	}
	var n, hand int64
	fields := c.peerFields(&n, &hand)
	if p, err := ParsePolicy(mode); err == nil && !p.Bounded() {
		fields = fields[1:]
	}
	if err := parseFields(fields, settings); err != nil {
		return c, false, err
	}
	if n > MaxBuffer || hand > 1 || n < 0 || hand < 0 {
		return c, false, fmt.Errorf("pipeline: settings of N %d and hand %d are out of range", n, hand)
	}
	var err error
	if c.Policy, err = parsePolicy(mode, int(n), c.Policy.Retry); err == nil {
		c.Hand = int(hand)
		err = c.Validate()
	}
	if err != nil {
		return c, false, fmt.Errorf("pipeline: settings of the trace: %w", err)
	}
	return c, true, nil
}

func parseFields(fields []field, settings map[string]string) error {
	for _, f := range fields {
		v, err := strconv.ParseInt(settings[f.name], 10, 64)
		if err != nil {
			return fmt.Errorf("pipeline: setting %s is %q: want a whole number", f.name, settings[f.name])
		}
		*f.value = v
	}
	return nil
}
