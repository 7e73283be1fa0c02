package scrape

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// shown makes a page of lines "name{labels} value", with the types of the figures.
func shown(lines ...string) string {
	var b strings.Builder
	types := map[kind]string{gauge: "gauge", counter: "counter", mean: "histogram"}
	for _, f := range figures {
		fmt.Fprintf(&b, "# TYPE %s %s\n", f.name, types[f.kind])
		for _, l := range lines {
			if strings.HasPrefix(l, f.name+"{") || f.kind == mean && strings.HasPrefix(l, f.name+"_") {
				b.WriteString(l + "\n")
			}
		}
	}
	b.WriteString("fabric_version{version=\"2.5.16\"} 1\n# TYPE process_start_time_seconds gauge\n")
	for _, l := range lines {
		if strings.HasPrefix(l, startTime) {
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}

func started(at int) string { return fmt.Sprintf("%s %d", startTime, at) }

func commit(sum float64, count int) string {
	return fmt.Sprintf("gossip_state_commit_duration_sum{channel=\"ch1\"} %v\ngossip_state_commit_duration_count{channel=\"ch1\"} %d", sum, count)
}

func sent(filtered bool, n int) string {
	return fmt.Sprintf(`deliver_blocks_sent{channel="ch1",data_type="block",filtered="%v"} %d`, filtered, n)
}

func took(seconds float64) Sample {
	return Sample{"gossip_state_commit_duration", "ch1", "ns", seconds * 1e9}
}

func all(v float64) Sample { return Sample{"deliver_blocks_sent", "ch1", "blocks", v} }

// TestHistory: each case is the pages of a node, and the samples of each page.
func TestHistory(t *testing.T) {
	for name, pages := range map[string][]struct {
		page string
		want []Sample
	}{
		"a mean is of an interval": {
			{shown(commit(2, 10)), nil},
			{shown(commit(3, 14)), []Sample{took(0.25)}},
			{shown(commit(3, 14)), nil},
			{shown(commit(3.5, 15)), []Sample{took(0.5)}},
		},
		"a series that appears has begun since": {
			{shown(), nil},
			{shown(commit(1, 4)), []Sample{took(0.25)}},
		},
		"what is not shown is no zero": {
			{shown(sent(true, 7)), []Sample{all(7)}},
			{shown(), nil},
			{shown(sent(true, 7)), []Sample{all(7)}},
		},
		"a counter is summed over its labels": {
			{shown(sent(true, 7), sent(false, 30)), []Sample{all(37)}},
		},
		"a restart that is seen by what has fallen": {
			{shown(commit(2, 10), sent(false, 10)), []Sample{all(10)}},
			{shown(commit(0.5, 2), sent(false, 3)), []Sample{all(13), took(0.25)}},
			{shown(commit(1, 3), sent(false, 4)), []Sample{all(14), took(0.5)}},
		},
		"a restart that is seen by the process alone": {
			{shown(started(1000), commit(2, 10), sent(false, 10)), []Sample{all(10)}},
			{shown(started(1001), commit(3, 12), sent(false, 11)), []Sample{all(11), took(0.5)}},
			{shown(started(1005), commit(6, 24), sent(false, 12)), []Sample{all(23), took(0.25)}},
		},
		"a restart whose series come later": {
			{shown(started(1000), sent(false, 10)), []Sample{all(10)}},
			{shown(started(2000)), nil},
			{shown(started(2000), sent(false, 20)), []Sample{all(30)}},
		},
		"no number": {
			{shown("gossip_payload_buffer_size{channel=\"ch1\"} NaN", "gossip_state_height{channel=\"ch1\"} +Inf", commit(1, 1)), nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h history
			for i, c := range pages {
				p, err := parse(strings.NewReader(c.page))
				if err != nil {
					t.Fatalf("page %d: %v", i, err)
				}
				got, err := h.samples(p)
				if err != nil || !reflect.DeepEqual(got, c.want) {
					t.Errorf("page %d: %v, %v, want %v", i, got, err, c.want)
				}
			}
		})
	}
}

// TestEndlessChannels: what is remembered is bounded, whatever pages say.
func TestEndlessChannels(t *testing.T) {
	var h history
	for page := 0; ; page++ {
		var lines []string
		for i := range 2000 {
			lines = append(lines, fmt.Sprintf(`deliver_blocks_sent{channel="%d-%d"} 1`, page, i))
		}
		p, err := parse(strings.NewReader(shown(lines...)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.samples(p); err != nil {
			break
		}
		if page*2000 > maxSeries {
			t.Fatalf("%d series are remembered", len(h.last))
		}
	}
}

func TestPagesRefused(t *testing.T) {
	many := make([]string, maxSeries+1)
	for i := range many {
		many[i] = fmt.Sprintf(`gossip_state_height{channel="%d"} 1`, i)
	}
	for want, page := range map[string]string{
		"nothing of Fabric's":      "# TYPE go_goroutines gauge\ngo_goroutines 8\n",
		"a line is longer":         "<html>" + strings.Repeat("x", maxLineBytes),
		"is there twice":           shown(`gossip_state_height{channel="a",instance="1"} 1`, `gossip_state_height{channel="a",instance="2"} 1`),
		"lines of Fabric's":        shown(`gossip_state_height{channel="a"} many`),
		"more than 10000 series":   shown(many...),
		"larger than any node's":   strings.Repeat("# a comment that is of no use\n", maxPageBytes/30+1),
		"4 MiB of Fabric's figure": strings.Repeat("# TYPE gossip_state_height gauge\n", maxKeptBytes/33+1),
	} {
		if _, err := parse(strings.NewReader(page)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	// Another type than Fabric's is another metric.
	p, err := parse(strings.NewReader("# TYPE gossip_state_height counter\ngossip_state_height{channel=\"a\"} 1\n"))
	if err != nil || len(p.readings) != 0 {
		t.Errorf("%v, %v", p.readings, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, rec := range append(excerpt(f, "fabric-2.5-twochannels.txt"), excerpt(f, "fabric-1.4-catchup.txt")...) {
		f.Add([]byte(rec.text))
	}
	f.Add([]byte(shown(commit(1, 2), sent(true, 3), started(5))))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parse(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		var h history
		first, err := h.samples(p)
		if err != nil {
			t.Fatal(err)
		}
		second, err := h.samples(p)
		if err != nil {
			t.Fatal(err)
		}
		// No second page is a first one: there is no mean in either, and all else stays.
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("the same page twice: %v, then %v", first, second)
		}
		for _, s := range first {
			if figureOf[s.Name].kind == mean || s.Value-s.Value != 0 {
				t.Fatalf("%+v", s)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := excerpt(b, "fabric-2.5-twochannels.txt")[5].text
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}
