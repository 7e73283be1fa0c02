package traces

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// A TextError tells in which line the text form of a trace is wrong.
type TextError struct {
	Line int
	Err  error
}

func (e *TextError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

func (e *TextError) Unwrap() error { return e.Err }

// textLine is any line behind the header.
type textLine struct {
	Stream  *int            `json:"stream"`
	Block   *event.BlockNum `json:"block"`
	Note    *string         `json:"note"`
	Text    string          `json:"text"`
	Channel *string         `json:"channel"`
	Payload []byte          `json:"payload"`
	Series  *string         `json:"series"`
	Unit    string          `json:"unit"`
	Node    string          `json:"node"`
	At      *event.Time     `json:"at_ns"`
	Value   *float64        `json:"value"`

	values [event.NumKinds]*int64
}

// textFields is the number of fields of a textLine before values, and textLineType a textLine
// with a field for each kind instead, in the order of the kinds.
var textFields, textLineType = func() (int, reflect.Type) {
	line := reflect.TypeFor[textLine]()
	n := line.NumField() - 1
	fields := make([]reflect.StructField, n, n+event.NumKinds)
	for i := range fields {
		fields[i] = line.Field(i)
	}
	for k, name := range columnNames {
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("Kind%d", k), Type: reflect.TypeFor[*int64](), Tag: reflect.StructTag(`json:"` + name + `"`),
		})
	}
	return n, reflect.StructOf(fields)
}()

// parseTextLine parses a line behind the header.
func parseTextLine(line []byte) (l textLine, err error) {
	parsed := reflect.New(textLineType)
	if err := parseStrict(line, parsed.Interface()); err != nil {
		return l, err
	}
	from, to := parsed.Elem(), reflect.ValueOf(&l).Elem()
	for i := range textFields {
		to.Field(i).Set(from.Field(i))
	}
	for k := range l.values {
		l.values[k], _ = from.Field(textFields + k).Interface().(*int64)
	}
	return l, nil
}

// textLines iterates over the lines of r with their numbers. A line longer than
// maxTextLine is an error.
func textLines(r io.Reader) iter.Seq2[int, textBytes] {
	return func(yield func(int, textBytes) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(nil, maxTextLine)
		n := 0
		for s.Scan() {
			if n++; !yield(n, textBytes{b: s.Bytes()}) {
				return
			}
		}
		if err := s.Err(); err != nil {
			yield(n+1, textBytes{err: err})
		}
	}
}

type textBytes struct {
	b   []byte
	err error
}

// ReadText reads the text form of a trace. Payload lines are passed over. Errors are
// a *TextError.
func ReadText(r io.Reader) (*Trace, error) { return readText(r, MaxCells) }

func readText(r io.Reader, maxCells uint64) (*Trace, error) {
	var b *builder
	for n, line := range textLines(r) {
		err := line.err
		if err == nil {
			if b == nil {
				b, err = textBuilder(line.b, maxCells)
			} else {
				err = b.textLine(line.b)
			}
		}
		if err != nil {
			return nil, &TextError{n, err}
		}
	}
	if b == nil {
		return nil, &TextError{1, notTrace(nil)}
	}
	return b.trace(), nil
}

// ReadTextPayloads iterates over the payload lines of the text form.
func ReadTextPayloads(r io.Reader) iter.Seq2[Payload, error] {
	return func(yield func(Payload, error) bool) {
		for n, line := range textLines(r) {
			if n == 1 && line.err == nil || line.err == nil && !bytes.Contains(line.b, []byte(`"payload"`)) {
				continue
			}
			if err := line.err; err != nil {
				yield(Payload{}, &TextError{n, err})
				return
			}
			l, err := parseTextLine(line.b)
			if err != nil {
				yield(Payload{}, &TextError{n, err})
				return
			}
			if l.Payload == nil || l.Channel == nil || l.Block == nil {
				continue
			}
			if !yield(Payload{*l.Channel, *l.Block, l.Payload}, nil) {
				return
			}
		}
	}
}

// textBuilder reads the header line.
func textBuilder(line []byte, maxCells uint64) (*builder, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")) {
		return nil, notTrace(line[:min(len(line), 12)])
	}
	if err := checkLimit("bytes of the header", uint64(len(line)), MaxHeaderBytes); err != nil {
		return nil, err
	}
	var th textHeader
	if err := parseStrict(line, &th); err != nil {
		return nil, fmt.Errorf("%w: its first line is not a header: %w", ErrNotTrace, err)
	}
	if th.Reel != FormatMajor {
		return nil, &VersionError{th.Reel, 0}
	}
	h := Header{Tool: th.Tool, Source: th.Source}
	if th.BaseUnixNS != nil {
		h.Base = time.Unix(0, *th.BaseUnixNS).UTC()
	}
	for _, s := range th.Streams {
		if s.Settings == nil {
			s.Settings = Settings{}
		}
		h.Streams = append(h.Streams, Stream(s))
	}
	if err := h.validate(); err != nil {
		return nil, err
	}
	return newBuilder(h, maxCells), nil
}

// textLine adds a line behind the header.
func (b *builder) textLine(line []byte) error {
	l, err := parseTextLine(line)
	if err != nil {
		return err
	}
	switch {
	case l.Note != nil:
		n := Note{-1, *l.Note, l.Text}
		if l.Stream != nil {
			n.Stream = *l.Stream
		}
		if err := checkLimit("notes", uint64(len(b.notes)+1), MaxNotes); err != nil {
			return err
		}
		b.notes = append(b.notes, n)
		return n.validate(len(b.header.Streams))
	case l.Channel != nil && l.Block != nil && l.Payload != nil:
		return nil
	case l.Series != nil && l.At != nil && l.Value != nil:
		return b.textSample(&l)
	case l.Stream != nil && l.Block != nil:
		return b.textBlock(&l)
	}
	return errors.New(`line is neither a note ("note", "text") nor a block ("stream", "block") nor a sample ("series", "at_ns", "value") ` +
		`nor a payload ("channel", "block", "payload")`)
}

func (b *builder) textSample(l *textLine) error {
	s := Series{Name: *l.Series, Unit: l.Unit, Node: l.Node}
	if l.Channel != nil {
		s.Channel = *l.Channel
	}
	if err := checkSample(*l.At, *l.Value); err != nil {
		return fmt.Errorf("sample of %v: %w", s, err)
	}
	return b.addSamples(&SampleColumn{s, []event.Time{*l.At}, []float64{*l.Value}})
}

func (b *builder) textBlock(l *textLine) error {
	block := uint64(*l.Block)
	if uint(*l.Stream) >= uint(len(b.streams)) {
		return fmt.Errorf("stream %d of %d", *l.Stream, len(b.streams))
	}
	if err := checkLimit("block number", block, MaxBlockNum); err != nil {
		return err
	}
	s := &b.streams[*l.Stream]
	s.cover(block, 1)
	for k, v := range l.values {
		if v == nil {
			continue
		}
		if !valid(*v) {
			return fmt.Errorf("%s is %d: over the limit of %d from zero", columnNames[k], *v, int64(MaxValue))
		}
		b.values++
		s.have(event.Kind(k))
	}
	if err := b.account(*l.Stream); err != nil {
		return err
	}
	for k, v := range l.values {
		if v != nil {
			b.column(*l.Stream, event.Kind(k)).Set(*l.Block, *v)
		}
	}
	return nil
}

// parseStrict parses one JSON value; a name that it does not know is an error.
func parseStrict(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("line holds more than one JSON value")
	}
	return nil
}
