package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// What a profile may be: those of production have a few kB a node.
const (
	maxBytes = 4 << 20
	// maxVisits bounds the values that are looked at, an alias counting as what it
	// stands for.
	maxVisits = 1 << 17
	maxText   = 4 << 10
	maxPEM    = 1 << 20
)

// Error is a mistake in a profile.
type Error struct {
	// Path of the field, as peers[peer0.org1.example.com].url. Empty: the document.
	Path string
	// Line in the document, from 1. 0: unknown.
	Line int
	Err  error
}

func (e *Error) Error() string {
	switch {
	case e.Path == "":
		return e.Err.Error()
	case e.Line == 0:
		return fmt.Sprintf("%s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s (line %d): %v", e.Path, e.Line, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// document is what all values of it share: how many were looked at, and the first
// mistake, after which every value is empty.
type document struct {
	visits int
	err    error
}

// value is a node of the document, and the way to it. The zero node: there is none.
type value struct {
	doc  *document
	node *yaml.Node
	path string
}

// entry is a named value of a mapping.
type entry struct {
	name string
	value
}

func open(data []byte) (value, error) {
	if len(data) > maxBytes {
		return value{}, &Error{Err: fmt.Errorf("the profile has more than %d bytes", maxBytes)}
	}
	if json.Valid(data) {
		data = unslash(data)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return value{}, &Error{Err: fmt.Errorf("neither YAML nor JSON: %w", err)}
	}
	if len(root.Content) != 1 {
		return value{}, &Error{Err: errors.New("the profile is empty")}
	}
	doc := &document{}
	return doc.visit(root.Content[0], ""), doc.err
}

// unslash takes the one escape out of JSON that YAML does not know: \/.
func unslash(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' { // in a string, and never the last byte
			if i++; text[i] != '/' {
				out = append(out, '\\')
			}
		}
		out = append(out, text[i])
	}
	return out
}

// visit follows an alias; null is the same as nothing.
func (d *document) visit(node *yaml.Node, path string) value {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	v := value{doc: d, node: node, path: path}
	if d.visits++; d.visits > maxVisits {
		v.fail("the profile has more than %d values", maxVisits)
	}
	if d.err != nil || node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		v.node = nil
	}
	return v
}

func (v value) fail(format string, args ...any) {
	if v.doc.err != nil {
		return
	}
	e := &Error{Path: v.path, Err: fmt.Errorf(format, args...)}
	if v.node != nil {
		e.Line = v.node.Line
	}
	v.doc.err = e
}

// entries are those of a mapping, in the order of the document.
func (v value) entries() (all []entry) {
	if v.node == nil {
		return nil
	}
	if v.node.Kind != yaml.MappingNode {
		v.fail("want names with values, found %s", kind(v.node))
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := v.node.Content[i]
		name := key.Value
		switch {
		case key.Kind != yaml.ScalarNode || len(name) > maxText:
			v.fail("line %d: a name is expected", key.Line)
		case key.Tag == "!!merge":
			v.fail("line %d: merges (<<) are not read: write the fields out", key.Line)
		case seen[name]:
			v.fail("line %d: %q is there twice", key.Line, name)
		}
		if v.doc.err != nil {
			return nil
		}
		seen[name] = true
		path := name
		if v.path != "" {
			path = v.path + "[" + name + "]"
		}
		all = append(all, entry{name, v.doc.visit(v.node.Content[i+1], path)})
	}
	return all
}

// field is one of a mapping's; it may not be there.
func (v value) field(name string) value {
	path := name
	if v.path != "" {
		path = v.path + "." + name
	}
	for _, e := range v.entries() {
		if e.name == name {
			e.path = path
			return e.value
		}
	}
	return value{doc: v.doc, path: path}
}

// items are those of a list.
func (v value) items() (all []value) {
	if v.node == nil {
		return nil
	}
	if v.node.Kind != yaml.SequenceNode {
		v.fail("want a list, found %s", kind(v.node))
		return nil
	}
	for i, node := range v.node.Content {
		all = append(all, v.doc.visit(node, v.path+"["+strconv.Itoa(i)+"]"))
	}
	return all
}

func (v value) isList() bool { return v.node != nil && v.node.Kind == yaml.SequenceNode }

// text of a scalar, or empty.
func (v value) text(most int) string {
	switch {
	case v.node == nil:
		return ""
	case v.node.Kind != yaml.ScalarNode:
		v.fail("want a text, found %s", kind(v.node))
	case len(v.node.Value) > most:
		v.fail("the text has more than %d bytes", most)
	default:
		return v.node.Value
	}
	return ""
}

func (v value) bool(otherwise bool) bool {
	text := v.text(maxText)
	if text == "" {
		return otherwise
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		v.fail("%q is neither true nor false", text)
	}
	return b
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "names with values"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%.40q", n.Value)
}
