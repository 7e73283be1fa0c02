package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/golden"
	"github.com/blockreel/blockreel/traces/event"
)

// TestTranscripts plays testdata/*.txt. A transcript is commands and what they print:
//
//	# comment
//	command argument …
//	----
//	what it prints
//
// The commands:
//
//	pipeline [preset=P] [n=N] [retry=D] [hand=H] [fixed=D] [per-kib=D] [resume=D] [wake=D]
//	         [latency=D] [bandwidth=B] [window=B] [policy=P] [height=H] [service=D]
//	                      a new machine at 0; with a service the committer works by itself
//	offer A[..B] [bytes=B] [transit=D]
//	                      the orderer's ledger gets blocks, now
//	until T               lets the time come to T
//	done                  the committer is done with its block, now
//	state                 what is where
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *golden.Rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("%s would now say:\n%s", file, got)
			}
		})
	}
}

// play returns the transcript with what its commands print now.
func play(t *testing.T, text string) string {
	var (
		out   strings.Builder
		stage = theatre{instant: never}
		said  = false // what stands below ---- is printed anew
	)
	for _, line := range strings.SplitAfter(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			said = false
			out.WriteString(line)
		case said || words[0] == "----":
			said = true
		case words[0] == "#":
			out.WriteString(line)
		default:
			out.WriteString(line)
			out.WriteString("----\n")
			out.WriteString(stage.play(t, words))
		}
	}
	return out.String()
}

// theatre is a machine with an orderer's ledger before it and a committer behind it.
type theatre struct {
	m       *Machine
	now     event.Time
	orderer []func() []Output
	service event.Time // negative: the committer waits for done
	working event.BlockNum
	busy    bool
	until   event.Time
	printed strings.Builder
	instant event.Time
	words   int // printed of this instant
}

func (s *theatre) play(t *testing.T, words []string) string {
	s.printed.Reset()
	args := arguments(words[1:])
	switch words[0] {
	case "pipeline":
		s.open(t, args)
	case "offer":
		s.offer(t, words[1], args)
		s.advance(s.now)
	case "until":
		s.advance(event.Time(duration(t, words[1])))
	case "done":
		if !s.busy {
			t.Fatal("done: the committer has no block")
		}
		s.until = s.now
		s.advance(s.now)
	case "state":
		s.state()
	default:
		t.Fatalf("no such command: %s", words[0])
	}
	s.endLine()
	return s.printed.String()
}

func (s *theatre) open(t *testing.T, args map[string]string) {
	cfg := Config{Policy: Policy{Name: Fabric}}
	if name, ok := args["preset"]; ok {
		if cfg, ok = Preset(name); !ok {
			t.Fatalf("no preset %s", name)
		}
	}
	*s = theatre{service: -1, until: never, instant: never}
	height := 0
	for name, value := range args {
		switch name {
		case "preset":
		case "n":
			cfg.Policy.N = number(t, value)
		case "retry":
			cfg.Policy.Retry = duration(t, value)
		case "policy":
			cfg.Policy.Name = value
		case "hand":
			cfg.Hand = number(t, value)
		case "fixed":
			cfg.Intake.Fixed = duration(t, value)
		case "per-kib":
			cfg.Intake.PerKiB = duration(t, value)
		case "resume":
			cfg.Intake.Resume = duration(t, value)
		case "wake":
			cfg.Wake = duration(t, value)
		case "latency":
			cfg.Link.Latency = duration(t, value)
		case "bandwidth":
			cfg.Link.Bandwidth = int64(number(t, value))
		case "window":
			cfg.Link.Window = int64(number(t, value))
		case "height":
			height = number(t, value)
		case "service":
			s.service = event.Time(duration(t, value))
		default:
			t.Fatalf("no such setting: %s", name)
		}
	}
	m, err := New(cfg, event.Height(height))
	if err != nil {
		fmt.Fprintln(&s.printed, err)
	}
	s.m = m
}

func (s *theatre) offer(t *testing.T, blocks string, args map[string]string) {
	from, to, isRange := strings.Cut(blocks, "..")
	if !isRange {
		to = from
	}
	for n := number(t, from); n <= number(t, to); n++ {
		bytes, transit := 0, time.Duration(0)
		if v, ok := args["bytes"]; ok {
			bytes = number(t, v)
		}
		if v, ok := args["transit"]; ok {
			transit = duration(t, v)
		}
		s.orderer = append(s.orderer, func() []Output {
			return s.m.Offer(s.now, event.BlockNum(n), int64(bytes), transit)
		})
	}
}

// advance lets everything happen up to and at instant end.
func (s *theatre) advance(end event.Time) {
	for {
		wake, ok := s.m.Wake()
		if !ok {
			wake = never
		}
		switch {
		case s.now < min(s.until, wake) && s.m.Wants() && len(s.orderer) > 0:
			offer := s.orderer[0]
			s.orderer = s.orderer[1:]
			s.tell(offer())
		case s.until <= min(wake, end):
			s.now, s.until, s.busy = s.until, never, false
			s.say("committed", s.working)
			s.tell(s.m.Ready(s.now, s.working))
		case wake <= end:
			s.now = wake
			s.tell(s.m.Tick(s.now))
		default:
			s.now = end
			return
		}
	}
}

func (s *theatre) tell(outputs []Output) {
	for _, o := range outputs {
		switch o.Kind {
		case Ignored:
			s.say("ignored", o.Block)
		default:
			s.say(o.Kind.String(), o.Block)
		}
		if o.Kind == event.Dequeued {
			s.working, s.busy = o.Block, true
			if s.service >= 0 {
				s.until = s.now + s.service
			}
		}
	}
}

// say prints what happens, one line an instant, the beginning of it if there is much.
func (s *theatre) say(what string, n event.BlockNum) {
	if s.instant != s.now {
		s.endLine()
		fmt.Fprintf(&s.printed, "%v: ", s.now.Duration())
		s.instant = s.now
	}
	s.words++
	switch {
	case s.words == 1:
		fmt.Fprintf(&s.printed, "%s %d", what, n)
	case s.words <= manyWords:
		fmt.Fprintf(&s.printed, ", %s %d", what, n)
	}
}

const manyWords = 24

func (s *theatre) endLine() {
	if s.words > manyWords {
		fmt.Fprintf(&s.printed, ", and %d more", s.words-manyWords)
	}
	if s.instant != never {
		s.printed.WriteByte('\n')
	}
	s.instant, s.words = never, 0
}

func (s *theatre) state() {
	fmt.Fprintf(&s.printed, "buffered %d", s.m.Buffered())
	if n, ok := s.m.Door(); ok {
		fmt.Fprintf(&s.printed, ", at the door %d", n)
	}
	if s.busy {
		fmt.Fprintf(&s.printed, ", committer works on %d", s.working)
	}
	fmt.Fprintf(&s.printed, ", not sent %d", len(s.orderer))
	if wake, ok := s.m.Wake(); ok {
		fmt.Fprintf(&s.printed, ", wakes at %v", wake.Duration())
	}
	s.printed.WriteByte('\n')
}

func arguments(words []string) map[string]string {
	args := map[string]string{}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		args[name] = value
	}
	return args
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
