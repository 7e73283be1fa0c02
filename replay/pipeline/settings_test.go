package pipeline

import (
	"strings"
	"testing"
	"time"
)

func TestSettingsRoundTrip(t *testing.T) {
	var configs []Config
	for _, name := range Presets() {
		c, _ := Preset(name)
		c.Link = Link{Latency: 3 * time.Millisecond, Bandwidth: 125_000_000, Window: 1 << 20}
		for _, name := range Policies() {
			var err error
			if c.Policy, err = c.Policy.As(name); err != nil {
				t.Fatal(err)
			}
			configs = append(configs, c)
		}
	}
	for _, want := range configs {
		got, ok, err := ParseSettings(want.Settings())
		if err != nil || !ok || got != want {
			t.Errorf("ParseSettings(%+v.Settings()) = %+v, %v, %v", want, got, ok, err)
		}
	}
}

func TestParseSettingsRefuses(t *testing.T) {
	if _, ok, err := ParseSettings(map[string]string{"buffer_blocks": "20"}); ok || err != nil {
		t.Errorf("settings of another pipeline: got %v, %v; want none and no error", ok, err)
	}
	good, _ := Preset(Fabric2x)
	for name, value := range map[string]string{
		"pipeline_mode": "sideways", "buffer_blocks": "0", "pipeline_wake_ns": "-1", "pipeline_hand_blocks": "7", "pipeline_retry_ns": "soon",
	} {
		s := good.Settings()
		s[name] = value
		if _, ok, err := ParseSettings(s); ok || err == nil {
			t.Errorf("%s=%s was taken", name, value)
		}
	}
}

// Settings that earlier versions have written.
func TestOldSettings(t *testing.T) {
	whole, _ := Preset(Fabric2x)
	for _, tc := range []struct {
		mode, retry, buffer string
		want                Policy
		err                 string
	}{
		{"blocking", "100000000", "20", Policy{Fabric, 20, 100 * time.Millisecond}, ""},
		{"blocking", "0", "20", Policy{Ideal, 20, 0}, ""},
		{"unbounded", "100000000", "", Policy{Unbounded, 0, 0}, ""},
		{"non-blocking", "0", "20", Policy{}, "the buffer was non-blocking, which this version cannot replay"},
	} {
		s := whole.Settings()
		s[settingMode], s[settingRetry] = tc.mode, tc.retry
		if delete(s, settingBuffer); tc.buffer != "" {
			s[settingBuffer] = tc.buffer
		}
		c, ok, err := ParseSettings(s)
		if tc.err != "" {
			if ok || err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: error %v, want one with %q", tc.mode, err, tc.err)
			}
			continue
		}
		if want := whole; err != nil || !ok || c.Policy != tc.want || c.Intake != want.Intake {
			t.Errorf("%s with retry %s gives %+v, %v, %v", tc.mode, tc.retry, c, ok, err)
		}
	}
}

func TestPeerSettings(t *testing.T) {
	want, _ := Preset(Fabric14)
	want.Wake = 17
	s := want.PeerSettings()
	if _, ok, err := ParseSettings(s); ok || err != nil {
		t.Errorf("settings without a link were taken for whole: %v, %v", ok, err)
	}
	if got, ok, err := ParsePeerSettings(s); !ok || err != nil || got != want {
		t.Errorf("got %+v, %v, %v; want %+v", got, ok, err, want)
	}
	linked := want
	linked.Link.Window = 1000
	if got, ok, err := ParsePeerSettings(linked.Settings()); !ok || err != nil || got != want {
		t.Errorf("of settings with a link: got %+v, %v, %v; want %+v", got, ok, err, want)
	}
	if _, ok, err := ParsePeerSettings(nil); ok || err != nil {
		t.Errorf("no settings were taken: %v, %v", ok, err)
	}
}
