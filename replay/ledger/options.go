package ledger

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Option follows a backend's name: name=value.
type Option struct {
	Name string
	Kind OptionKind
	// Default is the value of an option that is not given.
	Default string
	// Values of a Choice.
	Values []string
	// Min and Max bound a Count, and a Size in bytes.
	Min, Max int64
	// About describes the option in a few words.
	About string
}

// OptionKind is the form of an option's value.
type OptionKind string

// Forms of an option's value.
const (
	Bool     OptionKind = "bool"     // true or false
	Size     OptionKind = "size"     // bytes: 4096, 64kB, 16MB, 1GB (powers of 1024)
	Count    OptionKind = "count"    // a number
	Duration OptionKind = "duration" // 250ms, 5s
	Choice   OptionKind = "choice"   // one of Values
	Text     OptionKind = "text"     // anything without a comma
	URL      OptionKind = "url"      // http://host:port
)

// options are the values of a backend's options.
type options struct {
	known  []Option
	values map[string]string
}

// The readers panic on an option that the backend has not declared. Values have been checked.
func (o options) bool(name string) bool  { v, _ := strconv.ParseBool(o.text(name)); return v }
func (o options) size(name string) int64 { v, _ := parseSize(o.text(name)); return v }
func (o options) count(name string) int  { v, _ := strconv.Atoi(o.text(name)); return v }
func (o options) duration(name string) time.Duration {
	v, _ := time.ParseDuration(o.text(name))
	return v
}
func (o options) text(name string) string {
	if v, ok := o.values[name]; ok {
		return v
	}
	i := slices.IndexFunc(o.known, func(k Option) bool { return k.Name == name })
	if i < 0 {
		panic("ledger: option " + name + " is not declared")
	}
	return o.known[i].Default
}

// String returns the options that are not the default, in the backend's order.
func (o options) String() string {
	var parts []string
	for _, k := range o.known {
		if v, ok := o.values[k.Name]; ok && v != k.Default {
			parts = append(parts, k.Name+"="+v)
		}
	}
	return strings.Join(parts, ",")
}

// parseOptions reads key=value,key=value.
func parseOptions(known []Option, text string) (options, error) {
	o := options{known: known, values: map[string]string{}}
	if text == "" {
		return o, nil
	}
	if len(known) == 0 {
		return o, errors.New("it has no options")
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, given := strings.Cut(part, "=")
		i := slices.IndexFunc(known, func(k Option) bool { return k.Name == name })
		if i < 0 {
			names := make([]string, len(known))
			for i, k := range known {
				names[i] = k.Name
			}
			return o, fmt.Errorf("unknown option %q; choose one of %s", name, strings.Join(names, ", "))
		}
		if _, twice := o.values[name]; twice {
			return o, fmt.Errorf("option %s is given twice", name)
		}
		if !given {
			return o, fmt.Errorf("option %s has no value: write %s=%s", name, name, known[i].Default)
		}
		var err error
		if o.values[name], err = known[i].parse(value); errors.Is(err, errSecret) {
			return o, fmt.Errorf("option %s: %w", name, err)
		} else if err != nil {
			return o, fmt.Errorf("option %s=%s: %w", name, value, err)
		}
	}
	return o, nil
}

// parse checks a value and returns it as String prints it.
func (k Option) parse(value string) (string, error) {
	switch k.Kind {
	case Bool:
		v, err := strconv.ParseBool(value)
		if err != nil {
			return "", errors.New("choose true or false")
		}
		return strconv.FormatBool(v), nil
	case Size, Count:
		parse := parseSize
		if k.Kind == Count {
			parse = func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }
		}
		if v, err := parse(value); err != nil || v < k.Min || v > k.Max {
			return "", fmt.Errorf("choose a %s of %s, such as %s", k.Kind, k.Range(), k.Default)
		}
	case Duration:
		if v, err := time.ParseDuration(value); err != nil || v <= 0 {
			return "", fmt.Errorf("choose a time above 0 with its unit, such as %s", k.Default)
		}
	case Choice:
		if !slices.Contains(k.Values, value) {
			return "", fmt.Errorf("choose one of %s", strings.Join(k.Values, ", "))
		}
	case URL:
		if strings.Contains(value, "@") {
			return "", errSecret
		}
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "", fmt.Errorf("choose an address such as %s", k.Default)
		}
	}
	return value, nil
}

// Range returns the range of a Count or a Size as text; empty for other kinds.
func (k Option) Range() string {
	switch k.Kind {
	case Count:
		return fmt.Sprintf("%d to %d", k.Min, k.Max)
	case Size:
		return formatSize(k.Min) + " to " + formatSize(k.Max)
	}
	return ""
}

// errSecret: specs are printed and stored in traces.
var errSecret = errors.New("user and password do not belong in an address: " +
	"set them in the environment, in the variables that the backend's option names")

// parseSize reads a number of bytes with or without a unit.
func parseSize(text string) (int64, error) {
	number := strings.TrimRight(strings.ToLower(text), "b")
	shift := 0
	for i, unit := range []string{"k", "m", "g"} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, shift = rest, 10*(i+1)
		}
	}
	v, err := strconv.ParseInt(number, 10, 64)
	if err == nil && (v < 0 || v > math.MaxInt64>>shift) {
		err = strconv.ErrRange
	}
	return v << shift, err
}

// formatSize is the inverse of parseSize, with the largest unit that leaves an integer.
func formatSize(bytes int64) string {
	for i, unit := range []string{"GB", "MB", "kB"} {
		if shift := 10 * (3 - i); bytes != 0 && bytes%(1<<shift) == 0 {
			return fmt.Sprint(bytes>>shift) + unit
		}
	}
	return fmt.Sprint(bytes)
}
