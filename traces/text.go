package traces

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// The text form of a trace is JSON Lines: a textHeader, then a line for every note,
// every block, every sample and every payload.
type (
	textHeader struct {
		// Reel is the major version of the format.
		Reel       int          `json:"reel"`
		BaseUnixNS *int64       `json:"base_unix_ns,omitempty"`
		Base       string       `json:"base,omitempty"` // the same for people; not read
		Tool       string       `json:"tool,omitempty"`
		Source     string       `json:"source,omitempty"`
		Streams    []textStream `json:"streams"`
	}
	textStream struct {
		Channel  string   `json:"channel"`
		Orderer  string   `json:"orderer,omitempty"`
		Peer     string   `json:"peer,omitempty"`
		Settings Settings `json:"settings,omitempty"`
	}
	// textNote is a note; a note on the whole trace has no stream.
	textNote struct {
		Note   string `json:"note"`
		Stream *int   `json:"stream,omitempty"`
		Text   string `json:"text"`
	}
	// textSeries begins the line of a sample: its instant and its value follow.
	textSeries struct {
		Name    string `json:"series"`
		Unit    string `json:"unit,omitempty"`
		Node    string `json:"node,omitempty"`
		Channel string `json:"channel,omitempty"`
	}
)

// columnNames are the kinds as the text form names them: instants are nanoseconds
// since the start of the trace.
var columnNames = func() (names [event.NumKinds]string) {
	for i := range names {
		k := event.Kind(i)
		names[i] = k.String()
		if k.IsTime() {
			names[i] += "_" + k.Unit()
		}
	}
	return names
}()

// WriteText writes the text form of a trace, without payloads. ReadText gives back
// an equal trace; of a Loss a note remains.
func WriteText(w io.Writer, t *Trace) error {
	if err := t.validate(); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(newTextHeader(t.Header)); err != nil {
		return err
	}
	for _, n := range t.notesToWrite() {
		tn := textNote{Note: n.Kind, Text: n.Text}
		if n.Stream >= 0 {
			tn.Stream = &n.Stream
		}
		if err := enc.Encode(tn); err != nil {
			return err
		}
	}
	var line []byte
	for s, tl := range t.Timelines {
		for i := range tl.Len() {
			line = appendTextBlock(line[:0], s, tl, i)
			if _, err := b.Write(line); err != nil {
				return err
			}
		}
	}
	for i := range t.Samples {
		if err := writeTextSamples(b, &t.Samples[i]); err != nil {
			return err
		}
	}
	return b.Flush()
}

func writeTextSamples(b *bufio.Writer, c *SampleColumn) error {
	head := bytes.Buffer{}
	enc := json.NewEncoder(&head)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(textSeries(c.Series)); err != nil {
		return err
	}
	begin := bytes.TrimSuffix(head.Bytes(), []byte("}\n"))
	var line []byte
	for i, at := range c.At {
		line = append(append(line[:0], begin...), `,"at_ns":`...)
		line = strconv.AppendInt(line, int64(at), 10)
		line = append(line, `,"value":`...)
		line = appendTextValue(line, c.Value[i])
		if _, err := b.Write(append(line, "}\n"...)); err != nil {
			return err
		}
	}
	return nil
}

// appendTextValue spells a value such that reading it gives back its every bit.
func appendTextValue(b []byte, v float64) []byte {
	f := byte('f')
	if a := math.Abs(v); a != 0 && a < 1e-6 || a >= 1e21 {
		f = 'e'
	}
	return strconv.AppendFloat(b, v, f, -1, 64)
}

// WriteTextPayloads writes payload lines, which may follow on what WriteText wrote.
func WriteTextPayloads(w io.Writer, payloads iter.Seq2[Payload, error]) error {
	b := bufio.NewWriterSize(w, 64<<10)
	for p, err := range payloads {
		if err != nil {
			return err
		}
		channel, err := json.Marshal(p.Channel)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, `{"channel":%s,"block":%d,"payload":"`, channel, p.Block)
		e := base64.NewEncoder(base64.StdEncoding, b)
		if _, err := e.Write(p.Bytes); err != nil {
			return err
		}
		if err := e.Close(); err != nil {
			return err
		}
		if _, err := b.WriteString("\"}\n"); err != nil {
			return err
		}
	}
	return b.Flush()
}

func newTextHeader(h Header) textHeader {
	th := textHeader{Reel: FormatMajor, Tool: h.Tool, Source: h.Source, Streams: []textStream{}}
	if !h.Base.IsZero() {
		ns := h.Base.UnixNano()
		th.BaseUnixNS, th.Base = &ns, h.Base.UTC().Format(time.RFC3339Nano)
	}
	for _, s := range h.Streams {
		th.Streams = append(th.Streams, textStream(s))
	}
	return th
}

func appendTextBlock(b []byte, stream int, t *Timeline, i int) []byte {
	b = append(b, `{"stream":`...)
	b = strconv.AppendInt(b, int64(stream), 10)
	b = append(b, `,"block":`...)
	b = strconv.AppendUint(b, uint64(t.Block(i)), 10)
	for k := range t.columns {
		v := t.Value(event.Kind(k), i)
		if v == event.Missing {
			continue
		}
		b = append(b, `,"`...)
		b = append(b, columnNames[k]...)
		b = append(b, `":`...)
		b = strconv.AppendInt(b, v, 10)
	}
	return append(b, "}\n"...)
}

// validate reports whether the trace can be written, as text or not.
func (t *Trace) validate() error {
	if err := t.Header.validate(); err != nil {
		return err
	}
	if len(t.Timelines) != len(t.Streams) {
		return fmt.Errorf("trace of %d timelines for a header of %d streams", len(t.Timelines), len(t.Streams))
	}
	for _, tl := range t.Timelines {
		if tl.First > MaxBlockNum || uint64(tl.n) > MaxBlockNum+1-uint64(tl.First) {
			return &LimitError{"block number", uint64(tl.First) + uint64(tl.n) - 1, MaxBlockNum}
		}
	}
	if err := checkLimit("series of the trace", uint64(len(t.Samples)), MaxSeries); err != nil {
		return err
	}
	for i := range t.Samples {
		if err := t.Samples[i].validate(); err != nil {
			return err
		}
	}
	if err := checkLimit("notes", uint64(len(t.Notes)), MaxNotes); err != nil {
		return err
	}
	for _, n := range t.Notes {
		if err := n.validate(len(t.Streams)); err != nil {
			return err
		}
	}
	return nil
}
