package chart

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

const ms = 1_000_000

// run returns a stream of n blocks, one every interval, each taking service to
// validate and commit, behind a buffer of 2·2 + 1 blocks that is looked at every
// 100 ms when it is full. All times are in ns.
func run(n int, interval, service int64) *traces.Timeline {
	tl := traces.NewTimeline(traces.Stream{Channel: "ch1", Peer: "peer0.org1.example.com", Settings: traces.Settings{
		traces.SettingBuffer: "2", traces.SettingFabricVersion: "2.5.16", traces.SettingLedger: "recorded"}}, 4, n)
	door, done := int64(0), int64(0)
	for i := range n {
		offered := int64(i) * interval
		door = max(door, offered)
		pushed := door
		if i >= 5 {
			for pushed < tl.Value(event.Dequeued, i-5) {
				pushed += 100 * ms
			}
		}
		popped := max(pushed, done)
		done = popped + service
		for k, v := range map[event.Kind]int64{event.Offered: offered, event.AtDoor: door, event.Enqueued: pushed,
			event.Dequeued: popped, event.Validated: popped + service/2, event.Committed: done} {
			tl.MakeColumn(k)[i] = v
		}
		door = pushed
	}
	return tl
}

// without returns tl without the columns of some kinds.
func without(tl *traces.Timeline, kinds ...event.Kind) *traces.Timeline {
	out := traces.NewTimeline(tl.Stream, tl.First, tl.Len())
next:
	for k := range event.Kind(event.NumKinds) {
		for _, gone := range kinds {
			if k == gone {
				continue next
			}
		}
		if c := tl.Column(k); c != nil {
			copy(out.MakeColumn(k), c)
		}
	}
	return out
}

func runs(n int) []Run {
	var r []Run
	for i := range n {
		r = append(r, Run{Name: fmt.Sprintf("N = %d", 20*i+2), Timeline: run(300, int64(4+i)*ms, 8*ms)})
	}
	return r
}

func sweep() *analysis.Sweep {
	s := &analysis.Sweep{Channel: "ch1", Peer: "peer0"}
	for n := int64(1); n <= 300; n++ {
		starved := max(30_000-1_000*n, 0) * ms
		s.Points = append(s.Points, analysis.SweepPoint{
			Buffer: n, Makespan: 28_000*ms + starved, Starved: starved, BufferBytes: analysis.Known((2*n + 2) * 33_000)})
	}
	s.Knee, s.RecommendedBuffer = analysis.Knee(s.Points), analysis.Recommend(s.Points)
	return s
}

// sparse is a sweep of N = 2, 20 and 200.
func sparse() *analysis.Sweep {
	s := sweep()
	s.Points = []analysis.SweepPoint{s.Points[1], s.Points[19], s.Points[199]}
	s.Knee, s.RecommendedBuffer = analysis.Knee(s.Points), analysis.Recommend(s.Points)
	return s
}

func forecasts() []analysis.Forecast {
	a, b := analysis.StatsOf(run(300, 4*ms, 8*ms)), analysis.StatsOf(run(300, 4*ms, 9*ms))
	return []analysis.Forecast{
		{Name: "N = 20 from a run at N = 2", Differences: analysis.Compare(&a, &b)},
		{Name: "N = 2 from a run at N = 20", Differences: analysis.Compare(&b, &a)},
	}
}

// stopped returns a run of which the peer's events end after 30 of 600 blocks.
func stopped() *traces.Timeline {
	tl := run(600, 4*ms, 8*ms)
	for k := event.AtDoor; k <= event.Committed; k++ {
		if c := tl.Column(k); c != nil {
			for i := range c[30:] {
				c[30+i] = event.Missing
			}
		}
	}
	return tl
}

// lostPeer returns a run as it is seen from outside of the peer, with a block every so many
// ms; the peer was not observed from 2 to 3 s. The depth is sampled every 50 ms but then.
func lostPeer(interval int64) (*traces.Timeline, []traces.SampleColumn) {
	whole := run(600, interval*ms, 8*ms)
	tl := without(whole, event.AtDoor, event.Enqueued, event.Dequeued, event.Validated)
	for i, at := range tl.Column(event.Committed) {
		if at >= 2000*ms && at < 3000*ms {
			tl.MakeColumn(event.Committed)[i] = event.Missing
		}
	}
	depth, err := analysis.Depth(whole)
	if err != nil {
		panic(err)
	}
	c := traces.SampleColumn{Series: traces.Series{Name: traces.SeriesBufferSize, Node: tl.Peer, Channel: tl.Channel}}
	for at := int64(0); at < depth.Shape().Last; at += 50 * ms {
		if at < 2000*ms || at >= 3000*ms {
			c.At, c.Value = append(c.At, event.Time(at)), append(c.Value, float64(depth.At(at)))
		}
	}
	return tl, []traces.SampleColumn{
		{Series: traces.Series{Name: traces.SeriesObserving, Node: tl.Peer}, At: []event.Time{0, 2000 * ms, 3000 * ms}, Value: []float64{1, 0, 1}}, c}
}

func spread(draw func(Run) (*Figure, error)) (*Figure, error) {
	tl, samples := lostPeer(4)
	return draw(one(tl, samples...))
}

// A curve is not drawn where its node was not observed, nor until its next change.
func TestKnown(t *testing.T) {
	curve := stepCurve{{0, 0}, {5, 0}, {5, 1}, {22, 1}, {22, 4}, {25, 4}, {31, 4}, {31, 5}}
	b := blind{node: map[string][]analysis.Span{"p": {{From: 10, To: 20}, {From: 24, To: 26}}}}
	got := fmt.Sprint(b.known("p", curve))
	if want := fmt.Sprint([]stepCurve{{{0, 0}, {5, 0}, {5, 1}, {10, 1}}, {{22, 4}, {24, 4}}, {{31, 5}}}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := b.known("p", curve[:3]); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got, want := fmt.Sprint(b.known("p", stepCurve{{0, 1}, {40, 1}})), fmt.Sprint([]stepCurve{{{0, 1}, {10, 1}}, {{26, 1}, {40, 1}}}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got := b.known("o", curve); len(got) != 1 || len(got[0]) != len(curve) {
		t.Errorf("%v", got)
	}
	for _, spans := range [][]analysis.Span{{{From: 0, To: 40}}, {{From: 0, To: 3}}, {{From: 30, To: 50}}} {
		for _, part := range (blind{node: map[string][]analysis.Span{"p": spans}}).known("p", curve) {
			for _, q := range part {
				if x := int64(q.x); x > spans[0].From && x < spans[0].To {
					t.Errorf("%v: a point at %d", spans, x)
				}
			}
		}
	}
}

// charts are one of each kind, and what its SVG must say.
var charts = map[string]struct {
	draw func() (*Figure, error)
	says []string
}{
	"heights": {func() (*Figure, error) { return Heights(one(run(600, 4*ms, 8*ms))) }, []string{
		"The peer fell 451 blocks behind and caught up after 9.95 s", "ch1@peer0.org1.example.com · N = 2 · Fabric 2.5.16",
		"orderer height", "peer height", "gap 451 blocks", "time since the first block was offered (s)", "ledger height (blocks)", ">600<"}},
	"high heights": {func() (*Figure, error) {
		tl := run(600, 4*ms, 8*ms)
		tl.First = 1_000_000
		return Heights(one(tl))
	}, []string{">1,000,200<"}},
	"gap": {func() (*Figure, error) { return GapBySetting(runs(8)) }, []string{
		"blocks behind with N = 2 and 1 with N = 82", "N = 142 (at most ", "height gap (blocks)", "300 blocks"}},
	"one gap": {func() (*Figure, error) { return GapBySetting(runs(1)) }, []string{"blocks behind with N = 2"}},
	"depth": {func() (*Figure, error) { return BufferDepth(one(run(600, 4*ms, 8*ms))) }, []string{
		"The buffer of N = 2 ran dry: the committer starved ", "full: 2N + 1 = 5", "a block stands at the door", "the committer starves", "One second of it"}},
	// Every 50th block comes 30 ms late, and the door is never shut.
	"depth, door open": {func() (*Figure, error) {
		tl := run(600, 5*ms, 4*ms+ms/2)
		done := int64(0)
		for i := range tl.Len() {
			offered := int64(i) * 5 * ms
			at := max(offered, done) + ms/5
			if i%50 == 49 {
				at += 30 * ms
			}
			done = at + 9*ms/2
			for k, v := range map[event.Kind]int64{event.AtDoor: at, event.Enqueued: at, event.Dequeued: at, event.Validated: at + 2*ms, event.Committed: done} {
				tl.MakeColumn(k)[i] = v
			}
		}
		return BufferDepth(one(tl))
	}, []string{"The committer was busy ", "although the door of the buffer of N = 2 was open"}},
	"short depth": {func() (*Figure, error) { return BufferDepth(one(run(50, 4*ms, 8*ms))) }, []string{"full: 2N + 1 = 5"}},
	"percentiles": {func() (*Figure, error) { return LatencyPercentiles(runs(3)) }, []string{
		"99 % of the blocks are delivered within ", ">50 %<", ">90 %<", ">99 %<", "delivery latency ("}},
	"percentiles, log": {func() (*Figure, error) {
		return LatencyPercentiles(append(runs(1), Run{Name: "steady", Timeline: run(2000, 50*ms, 2*ms)}))
	}, []string{">10 ms<", ">1 s<", ">99.9 %<"}},
	"parts": {func() (*Figure, error) { return LatencyParts(one(run(600, 4*ms, 8*ms))) }, []string{
		"of the delivery latency", "orderer, link and intake", ">door<", ">buffer<", ">validate<", ">commit<"}},
	"parts of an INFO log": {func() (*Figure, error) {
		return LatencyParts(one(without(run(600, 4*ms, 8*ms), event.AtDoor, event.Enqueued)))
	}, []string{"Orderer, link, intake, door and buffer take "}},
	"sweep": {func() (*Figure, error) { return SweepCurve(sweep()) }, []string{
		"N = 30 is enough: 28 s instead of 57 s with N = 1", "knee: N = 29", "recommended: N = 30", "memory (MB)", "peer.gossip.state.blockBufferSize"}},
	"sparse sweep": {func() (*Figure, error) { return SweepCurve(sparse()) }, []string{
		"N = 200, of those swept, is enough: 28 s instead of 56 s with N = 2", "3 settings, computed at the dots alone"}},
	"sweep of a forecast": {func() (*Figure, error) {
		s := sweep()
		s.IdentityError = analysis.Differences{{Figure: "makespan", Error: analysis.Known(0.003)}}
		s.Trust = "cost model off by 4 %"
		return SweepCurve(s)
	}, []string{"300 settings · cost model off by 4 %<"}},
	"sweep of an idle run": {func() (*Figure, error) {
		s := sweep()
		for i := range s.Points {
			s.Points[i].Makespan, s.Points[i].Starved = 14_000*ms, 0
			s.Points[i].Latency = &analysis.Quantiles{Count: 12}
		}
		s.Knee, s.RecommendedBuffer = analysis.Knee(s.Points), analysis.Recommend(s.Points)
		s.IdentityError = analysis.Differences{{Figure: "makespan", Error: analysis.Known(0.0)}}
		return SweepCurve(s)
	}, []string{"This load does not need the buffer: N = 1 is enough", ">enough: N = 1<", "own settings gives it back · only 12 blocks"}},
	"heights of a peer whose log ends early": {func() (*Figure, error) { return Heights(one(stopped())) }, []string{
		"and was still 84 blocks behind at the end", "570 of them uncommitted when the peer"}},
	"parts of a peer whose log ends early": {func() (*Figure, error) { return LatencyParts(one(stopped())) }, []string{"of the delivery latency"}},
	"heights with a blind span": {func() (*Figure, error) { return spread(Heights) }, []string{
		"peer0.org1.example.com not observed", "The peer fell "}},
	"heights when both were lost": {func() (*Figure, error) {
		tl, samples := lostPeer(4)
		samples[0].Node = "" // the orderer, which has no name here
		_, more := lostPeer(4)
		return Heights(one(tl, append(samples, more...)...))
	}, []string{">not observed<"}},
	"gap with a blind span": {func() (*Figure, error) {
		tl, samples := lostPeer(4)
		return GapBySetting([]Run{{Name: "it", Timeline: tl, Samples: samples}})
	}, []string{"peer0.org1.example.com not observed"}},
	"parts with a blind span": {func() (*Figure, error) { return spread(LatencyParts) }, []string{
		"peer0.org1.example.com not observed", "From offer to commit blocks took "}},
	"sampled depth": {func() (*Figure, error) { return spread(BufferDepth) }, []string{
		"The buffer of N = 2 was empty in ", "of the samples with the peer behind", "metrics, every 50 ms", "full: 2N + 1 = 5", "not observed"}},
	"sampled depth, peer kept up": {func() (*Figure, error) {
		tl, samples := lostPeer(40)
		return BufferDepth(one(tl, samples...))
	}, []string{"The buffer of N = 2 held at most "}},
	"depth with samples": {func() (*Figure, error) {
		_, samples := lostPeer(4)
		return BufferDepth(one(run(600, 4*ms, 8*ms), samples...))
	}, []string{"blocks in the buffer", "metrics, every 50 ms", "not observed", "the committer starves"}},
	"forecast": {func() (*Figure, error) { return PredictedVsMeasured(forecasts()) }, []string{
		"The forecast", "N = 2 from a run at N = 20", "latency p99.9", "greatest gap", "measured", ">+1 %<"}},
}

func TestChartsInEveryFormat(t *testing.T) {
	for name, c := range charts {
		t.Run(name, func(t *testing.T) {
			f, err := c.draw()
			if err != nil {
				t.Fatal(err)
			}
			var pic, svg, pdf bytes.Buffer
			for ext, b := range map[string]*bytes.Buffer{".png": &pic, ".SVG": &svg, ".pdf": &pdf} {
				if err := f.Write(b, ext); err != nil {
					t.Fatal(err)
				}
			}
			img, err := png.Decode(&pic)
			if err != nil {
				t.Fatal(err)
			}
			if s := img.Bounds().Size(); s.X != 1600 || s.Y < 900 {
				t.Errorf("a PNG of %v", s)
			}
			for _, want := range c.says {
				if !strings.Contains(svg.String(), want) {
					t.Errorf("the SVG does not say %q", want)
				}
			}
			if strings.Contains(svg.String(), "NaN") || strings.Contains(svg.String(), "Inf") {
				t.Error("the SVG has points that are not numbers")
			}
			if !bytes.HasPrefix(pdf.Bytes(), []byte("%PDF-")) || !bytes.Contains(pdf.Bytes(), []byte("%%EOF")) {
				t.Error("not a PDF")
			}
		})
	}
}

// lettered is a canvas that remembers where words stand.
type lettered struct {
	vg.Canvas
	turned int
	boxes  map[string]vg.Rectangle
	texts  int
}

func (l *lettered) Push() { l.Canvas.Push() }

func (l *lettered) Rotate(angle float64) {
	l.turned++
	l.Canvas.Rotate(angle)
}

func (l *lettered) Pop() {
	l.turned = 0
	l.Canvas.Pop()
}

func (l *lettered) FillString(f font.Face, at vg.Point, words string) {
	if l.turned == 0 {
		l.texts++
		e := f.Extents()
		l.boxes[fmt.Sprintf("%d: %s", l.texts, words)] = vg.Rectangle{
			Min: vg.Point{X: at.X, Y: at.Y - e.Descent/2}, Max: vg.Point{X: at.X + f.Width(words), Y: at.Y + e.Ascent*0.7}}
	}
	l.Canvas.FillString(f, at, words)
}

// No words may leave the page or stand on others.
func TestWordsHaveRoom(t *testing.T) {
	long := func() (*Figure, error) {
		r := runs(8)
		for i := range r {
			r[i].Name = fmt.Sprintf("a setting with a long description, number %d", i)
		}
		return GapBySetting(r)
	}
	all := map[string]func() (*Figure, error){"long names": long}
	for name, c := range charts {
		all[name] = c.draw
	}
	for name, draws := range all {
		f, err := draws()
		if err != nil {
			t.Fatal(name, err)
		}
		l := &lettered{Canvas: vgsvg.New(width, f.height), boxes: map[string]vg.Rectangle{}}
		f.draw(draw.NewCanvas(l, width, f.height))
		if len(l.boxes) < 8 {
			t.Errorf("%s: only %d words", name, len(l.boxes))
		}
		for a, box := range l.boxes {
			if box.Min.X < 0 || box.Max.X > width || box.Min.Y < 0 || box.Max.Y > f.height {
				t.Errorf("%s: %q leaves the page: %v", name, a, box)
			}
			for b, other := range l.boxes {
				if a < b && box.Min.X < other.Max.X && other.Min.X < box.Max.X && box.Min.Y < other.Max.Y && other.Min.Y < box.Max.Y {
					t.Errorf("%s: %q stands on %q", name, a, b)
				}
			}
		}
	}
}

func TestDegenerateRunsAreDrawn(t *testing.T) {
	instant := run(1, 1, 0)
	for name, tl := range map[string]*traces.Timeline{
		"one block": run(1, ms, ms), "two blocks": run(2, ms, ms), "all at one instant": instant, "no gap": run(100, 10*ms, 0), "high": run(3, ms, ms)} {
		for chart, f := range map[string]func() (*Figure, error){
			"heights":     func() (*Figure, error) { return Heights(one(tl)) },
			"gap":         func() (*Figure, error) { return GapBySetting([]Run{{Name: "it", Timeline: tl}}) },
			"depth":       func() (*Figure, error) { return BufferDepth(one(tl)) },
			"percentiles": func() (*Figure, error) { return LatencyPercentiles([]Run{{Name: "it", Timeline: tl}}) },
			"parts":       func() (*Figure, error) { return LatencyParts(one(tl)) },
		} {
			fig, err := f()
			if err != nil {
				t.Errorf("%s of %s: %v", chart, name, err)
				continue
			}
			var b bytes.Buffer
			if err := fig.Write(&b, ".svg"); err != nil || strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
				t.Errorf("%s of %s: not drawn (%v)", chart, name, err)
			}
			if err := fig.Write(&b, ".png"); err != nil {
				t.Errorf("%s of %s: %v", chart, name, err)
			}
		}
	}
	one := sweep()
	one.Points = one.Points[:1]
	if fig, err := SweepCurve(one); err != nil || fig.Write(&bytes.Buffer{}, ".png") != nil {
		t.Errorf("a sweep of one point: %v", err)
	}
}

func TestWhatCannotBeDrawn(t *testing.T) {
	tl := run(20, ms, ms)
	var missing *analysis.MissingError
	for kind, f := range map[event.Kind]func() (*Figure, error){
		event.Offered: func() (*Figure, error) { return Heights(one(without(tl, event.Offered))) },
		event.Committed: func() (*Figure, error) {
			return GapBySetting([]Run{{Name: "it", Timeline: without(tl, event.Committed)}})
		},
		event.Enqueued: func() (*Figure, error) { return BufferDepth(one(without(tl, event.Enqueued))) },
	} {
		if _, err := f(); !errors.As(err, &missing) || missing.Kind != kind {
			t.Errorf("without %v: %v", kind, err)
		}
	}
	if _, err := LatencyPercentiles([]Run{{Name: "it", Timeline: without(tl, event.Offered)}}); !errors.As(err, &missing) {
		t.Errorf("percentiles: %v", err)
	}
	if _, err := LatencyParts(one(without(tl, event.Offered))); !errors.As(err, &missing) {
		t.Errorf("parts: %v", err)
	}
	skewed := run(20, ms, ms)
	for i := range skewed.Len() {
		skewed.MakeColumn(event.Offered)[i] += 100 * ms
	}
	var skew *analysis.SkewError
	for _, f := range []func() (*Figure, error){
		func() (*Figure, error) { return LatencyPercentiles([]Run{{Name: "it", Timeline: skewed}}) },
		func() (*Figure, error) { return LatencyParts(one(skewed)) },
	} {
		if _, err := f(); !errors.As(err, &skew) || skew.Blocks != 20 || !strings.Contains(err.Error(), "--fix-clock-skew") {
			t.Errorf("clocks that differ: %v", err)
		}
	}
	rare := run(20, ms, ms)
	for i := range 5 {
		rare.MakeColumn(event.Offered)[i] = event.Missing
	}
	if _, err := LatencyParts(one(rare)); !errors.As(err, &missing) || !missing.Rare {
		t.Errorf("parts with few offers: %v", err)
	}
	for _, f := range []func() (*Figure, error){
		func() (*Figure, error) { return GapBySetting(nil) },
		func() (*Figure, error) { return GapBySetting(runs(9)) },
		func() (*Figure, error) { return LatencyPercentiles(runs(9)) },
		func() (*Figure, error) { return SweepCurve(&analysis.Sweep{}) },
		func() (*Figure, error) { return PredictedVsMeasured(nil) },
	} {
		if fig, err := f(); err == nil {
			t.Errorf("%q was drawn", fig.Title)
		}
	}
}

func TestSave(t *testing.T) {
	f, err := Heights(one(run(20, ms, 2*ms)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "heights.png")
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if err := f.Save(filepath.Join(dir, "heights.gif")); err == nil || !strings.Contains(err.Error(), ".png, .svg, .pdf") {
		t.Errorf("error %v", err)
	}
	if err := f.Save(filepath.Join(dir, "nowhere", "heights.png")); err == nil {
		t.Error("saved to a folder that is not there")
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("files left behind: %v", files)
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		ticker ticker
		lo, hi float64
		want   string
	}{
		{ticker{unit: 1e9}, 0, 17.3e9, "0 5 10 15"},
		{ticker{unit: 1e9}, 0, 1.2e9, "0 0.2 0.4 0.6 0.8 1.0 1.2"},
		{ticker{unit: 1, whole: true}, 0, 2.1, "0 1 2"},
		{ticker{unit: 1, whole: true}, 0, 104_000, "0 20,000 40,000 60,000 80,000 100,000"},
		{ticker{unit: 1, whole: true}, -3, 6, "0 1 2 3 4 5 6"},
		{ticker{unit: 0.01, signed: true}, -0.02, 0.02, "-2 -1 0 1 2"},
	} {
		var labels []string
		for _, tick := range c.ticker.Ticks(c.lo, c.hi) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("ticks from %v to %v: %q, want %q", c.lo, c.hi, got, c.want)
		}
	}
}

// A damaged trace may hold any times: what is drawn of it is nonsense, but drawing
// comes to an end.
func TestHostileTimes(t *testing.T) {
	const far = int64(1) << 62
	tl := run(40, ms, 2*ms)
	for i := range tl.Len() {
		for k := event.Offered; k <= event.Committed; k++ {
			if c := tl.Column(k); c != nil && (i+int(k))%5 == 0 {
				c[i] = far * int64(i%4-2)
			}
		}
	}
	for name, f := range map[string]func() (*Figure, error){
		"heights":     func() (*Figure, error) { return Heights(one(tl)) },
		"gap":         func() (*Figure, error) { return GapBySetting([]Run{{Name: "it", Timeline: tl}}) },
		"depth":       func() (*Figure, error) { return BufferDepth(one(tl)) },
		"percentiles": func() (*Figure, error) { return LatencyPercentiles([]Run{{Name: "it", Timeline: tl}}) },
		"parts":       func() (*Figure, error) { return LatencyParts(one(tl)) },
	} {
		fig, err := f()
		if err != nil {
			if skew := (*analysis.SkewError)(nil); !errors.As(err, &skew) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err := fig.Write(&bytes.Buffer{}, ".svg"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// one is a run without a name.
func one(tl *traces.Timeline, samples ...traces.SampleColumn) Run {
	return Run{Timeline: tl, Samples: samples}
}
