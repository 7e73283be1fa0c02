package pipeline

import (
	"testing"
	"time"
)

func TestSettingsRoundTrip(t *testing.T) {
	var configs []Config
	for _, name := range Presets() {
		c, _ := Preset(name)
		c.Link = Link{Latency: 3 * time.Millisecond, Bandwidth: 125_000_000, Window: 1 << 20}
		configs = append(configs, c)
		c.Policy.NonBlocking = true
		configs = append(configs, c)
		c.Policy = Policy{Unbounded: true, Retry: time.Second}
		configs = append(configs, c)
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
