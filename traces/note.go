package traces

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

func appendNotes(b []byte, notes []Note) []byte {
	b = binary.AppendUvarint(b, uint64(len(notes)))
	for _, n := range notes {
		b = binary.AppendUvarint(b, uint64(n.Stream+1))
		b = appendString(appendString(b, n.Kind), n.Text)
	}
	return b
}

func decodeNotes(content []byte, streams int, notes []Note) ([]Note, error) {
	c := &parser{b: content}
	for n := c.count("notes of a chunk", MaxNotes); n > 0 && c.err == nil; n-- {
		note := Note{
			Stream: int(c.count("stream of a note", uint64(streams))) - 1,
			Kind:   c.string("a note's kind", MaxStringBytes),
			Text:   c.string("a note", MaxNoteBytes),
		}
		if c.err == nil {
			notes = append(notes, note)
		}
	}
	if c.err == nil && len(c.b) != 0 {
		c.fail(fmt.Errorf("%d bytes behind the last note", len(c.b)))
	}
	return notes, c.err
}

func (n Note) validate(streams int) error {
	if n.Stream < -1 || n.Stream >= streams {
		return fmt.Errorf("note on stream %d of %d", n.Stream, streams)
	}
	if err := checkString("a note's kind", n.Kind); err != nil {
		return err
	}
	if !utf8.ValidString(n.Text) {
		return fmt.Errorf("note %q is not UTF-8", n.Text)
	}
	return checkLimit("bytes of a note", uint64(len(n.Text)), MaxNoteBytes)
}
