// Package finding has the form in which blockreel keeps statements about a run: facts,
// warnings and verdicts are a code with values, and no text. Package analysis/report turns
// them into sentences; a trace carries them in its notes; --json prints them as they are.
//
// The last word of a value's name is its unit: wait_ns, size_bytes, error_share (of 1),
// offered_blocks_per_s, lost_blocks, first_block (a block's number). Strings are names of
// nodes, files and settings.
package finding

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
)

// A Severity says what a finding means for the figures beside it.
type Severity string

const (
	// Fact says how a figure was obtained.
	Fact Severity = "fact"
	// Warning says what weakens a figure.
	Warning Severity = "warning"
	// Invalid says why figures do not count.
	Invalid Severity = "invalid"
	// Verdict answers the question that was asked.
	Verdict Severity = "verdict"
)

// What a finding is about, if not the whole run.
const (
	// OfReplayed: the trace that was replayed.
	OfReplayed = "replayed"
	// OfCut: the longer trace that this one was cut from.
	OfCut = "cut"
	// OfRead: the file that the trace was copied from.
	OfRead = "read"
)

// A Finding is a statement about a run.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	// Stream is the name of the stream that it is about; empty for all, or the only one.
	Stream string `json:"stream,omitempty"`
	// Of is what it is about: one of the constants above, or empty.
	Of string `json:"of,omitempty"`
	// Payloads says that it is about the payloads of a trace, and is left out where they are.
	Payloads bool `json:"payloads,omitempty"`
	// Values are the figures and names that it is made of.
	Values V `json:"values,omitempty"`
}

// V are the values of a finding by name: int64, float64, string or []string. New makes
// these of other types of integers and strings.
type V map[string]any

// New returns a finding. It panics if a value is of a type that V does not list.
func New(s Severity, code string, values V) Finding {
	return Finding{Code: code, Severity: s, Values: values.normal()}
}

// Note returns a fact.
func Note(code string, values V) Finding { return New(Fact, code, values) }

// Warn returns a warning.
func Warn(code string, values V) Finding { return New(Warning, code, values) }

// Reject returns a reason for which figures do not count.
func Reject(code string, values V) Finding { return New(Invalid, code, values) }

// Judge returns a verdict.
func Judge(code string, values V) Finding { return New(Verdict, code, values) }

// On returns the finding about a stream.
func (f Finding) On(stream string) Finding {
	f.Stream = stream
	return f
}

// About returns the finding about something else than the whole run; see Of.
func (f Finding) About(of string) Finding {
	f.Of = of
	return f
}

// Same reports whether two findings say the same, maybe of different streams.
func (f Finding) Same(g Finding) bool {
	return f.Code == g.Code && f.Severity == g.Severity && f.Of == g.Of && f.Payloads == g.Payloads && reflect.DeepEqual(f.Values, g.Values)
}

// Int returns a whole number, or 0.
func (f Finding) Int(name string) int64 {
	n, _ := f.Values[name].(int64)
	return n
}

// Text returns a string, or an empty one.
func (f Finding) Text(name string) string {
	s, _ := f.Values[name].(string)
	return s
}

// Add appends the findings that are not in the list yet.
func Add(list []Finding, more ...Finding) []Finding {
	for _, f := range more {
		if !slices.ContainsFunc(list, func(g Finding) bool { return f.Stream == g.Stream && f.Same(g) }) {
			list = append(list, f)
		}
	}
	return list
}

// Of returns the findings of a severity.
func Of(list []Finding, s Severity) (out []Finding) {
	for _, f := range list {
		if f.Severity == s {
			out = append(out, f)
		}
	}
	return out
}

// On returns the findings, each about a stream.
func On(stream string, list []Finding) []Finding {
	out := slices.Clone(list)
	for i := range out {
		out[i].Stream = stream
	}
	return out
}

// UnmarshalJSON reads whole numbers as int64 and others as float64.
func (v *V) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	m := map[string]any{}
	if err := d.Decode(&m); err != nil {
		return err
	}
	for name, x := range m {
		n, ok := normal(x)
		if !ok {
			return fmt.Errorf("value %s is neither a number nor a string", name)
		}
		m[name] = n
	}
	*v = m
	return nil
}

func (v V) normal() V {
	if len(v) == 0 {
		return nil
	}
	out := make(V, len(v))
	for name, x := range v {
		n, ok := normal(x)
		if !ok {
			panic(fmt.Sprintf("value %s of a finding is a %T", name, x))
		}
		out[name] = n
	}
	return out
}

// normal returns x as one of the types of V.
func normal(x any) (any, bool) {
	if n, ok := x.(json.Number); ok {
		if i, err := n.Int64(); err == nil {
			return i, true
		}
		f, err := n.Float64()
		return f, err == nil
	}
	switch r := reflect.ValueOf(x); r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return int64(r.Uint()), true
	case reflect.Float32, reflect.Float64:
		f := r.Float()
		if i := int64(f); math.Abs(f) < 1<<53 && float64(i) == f { // as JSON returns it
			return i, true
		}
		return f, true
	case reflect.String:
		return r.String(), true
	case reflect.Slice:
		texts, ok := x.([]string)
		if list, isList := x.([]any); isList { // of JSON
			texts, ok = make([]string, len(list)), true
			for i, e := range list {
				if texts[i], ok = e.(string); !ok {
					return nil, false
				}
			}
		}
		return texts, ok
	}
	return nil, false
}
