package couch

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Document is a key of the state.
type Document struct {
	Key []byte
	// Version is the caller's.
	Version []byte
	Value   []byte
	// Deleted: Write deletes the document.
	Deleted bool
}

// Names within a document; Fabric's, but for ownerID and idPrefix.
const (
	versionField   = "~version"
	attachmentName = "valueBytes"
	savepointID    = "statedb_savepoint"
	ownerID        = "statedb_ledger"
	// idPrefix begins the ids of keys: CouchDB reserves ids with an underscore. afterIDs is the
	// first id after all of them.
	idPrefix = ":"
	afterIDs = ";"
)

// documentID returns the id of a key: a character below 256 for each byte.
func documentID(key []byte) string {
	var id strings.Builder
	id.Grow(len(idPrefix) + len(key))
	id.WriteString(idPrefix)
	for _, b := range key {
		id.WriteRune(rune(b))
	}
	return id.String()
}

// documentKey is the inverse of documentID.
func documentKey(id string) ([]byte, error) {
	text, ok := strings.CutPrefix(id, idPrefix)
	key := make([]byte, 0, len(text))
	for _, r := range text {
		ok = ok && r < 256
		key = append(key, byte(r))
	}
	if !ok {
		return nil, fmt.Errorf("document %q does not belong to a ledger", id)
	}
	return key, nil
}

// appendDocument appends the document for _bulk_docs. A new one has an empty rev.
func appendDocument(dst []byte, d *Document, id, rev string) []byte {
	dst = appendText(append(dst, `{"_id":`...), id)
	if rev != "" {
		dst = appendText(append(dst, `,"_rev":`...), rev)
	}
	if d.Deleted {
		return append(dst, `,"_deleted":true}`...)
	}
	dst = append(dst, `,"`+versionField+`":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, d.Version)
	dst = append(dst, '"')
	if isDocument(d.Value) {
		fields := trimJSON(d.Value)
		fields = bytes.TrimSpace(fields[1 : len(fields)-1])
		if len(fields) > 0 {
			dst = append(append(dst, ','), fields...)
		}
		return append(dst, '}')
	}
	dst = append(dst, `,"_attachments":{"`+attachmentName+`":{"content_type":"application/octet-stream","data":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, d.Value)
	return append(dst, `"}}}`...)
}

func appendText(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string has no form that JSON cannot take
	}
	return append(dst, text...)
}

// isDocument reports whether a value can be the fields of a document: a JSON object in valid UTF-8
// without reserved names, escaped surrogates, duplicate names and numbers that a double does not
// keep. CouchDB would refuse or change it.
func isDocument(value []byte) bool {
	text := trimJSON(value)
	if len(text) < 2 || text[0] != '{' || !utf8.Valid(text) || !json.Valid(text) ||
		bytes.Contains(text, []byte(`\ud`)) || bytes.Contains(text, []byte(`\uD`)) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	// The names of each open object so far; nil for a list.
	var open []map[string]bool
	for isName := false; ; {
		token, err := dec.Token()
		if err != nil {
			return err == io.EOF
		}
		switch token := token.(type) {
		case json.Number:
			if !plain(token.String()) {
				return false
			}
		case json.Delim:
			switch token {
			case '{':
				open = append(open, make(map[string]bool))
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
		case string:
			if !isName {
				break
			}
			names := open[len(open)-1]
			if names[token] || len(open) == 1 && (token == versionField || strings.HasPrefix(token, "_")) {
				return false
			}
			names[token] = true
			isName = false
			continue
		}
		isName = len(open) > 0 && open[len(open)-1] != nil // what follows a value, or opens an object
	}
}

// trimJSON removes JSON's white space: Unicode has more.
func trimJSON(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }

// plain reports whether a double keeps a number: not 1e400, 12345678901234567890 or -0.
func plain(number string) bool {
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return false
	}
	if f == 0 {
		mantissa, _, _ := strings.Cut(strings.ToLower(number), "e")
		return number[0] != '-' && !strings.ContainsAny(mantissa, "123456789")
	}
	exact, ok := new(big.Rat).SetString(number)
	kept, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, 64))
	return ok && exact.Cmp(kept) == 0
}

// parseDocument is the inverse of appendDocument. Without withValue it ignores the value.
func parseDocument(object []byte, withValue bool) (d Document, rev string, err error) {
	var known struct {
		ID          string                            `json:"_id"`
		Rev         string                            `json:"_rev"`
		Version     *[]byte                           `json:"~version"`
		Attachments map[string]struct{ Data *[]byte } `json:"_attachments"`
	}
	err = json.Unmarshal(object, &known)
	if err == nil {
		d.Key, err = documentKey(known.ID)
	}
	if err == nil && known.Version == nil {
		err = fmt.Errorf("it has no %s: another program has written it", versionField)
	}
	if err != nil {
		return Document{}, "", fmt.Errorf("document %q: %w", known.ID, err)
	}
	d.Version = *known.Version
	switch {
	case !withValue:
	case known.Attachments != nil:
		data := known.Attachments[attachmentName].Data
		if data == nil {
			return Document{}, "", fmt.Errorf("document %q: its attachment %s came without data", known.ID, attachmentName)
		}
		d.Value = *data
	default:
		var fields map[string]json.RawMessage
		if err = json.Unmarshal(object, &fields); err == nil {
			for _, name := range []string{"_id", "_rev", versionField} {
				delete(fields, name)
			}
			d.Value, err = json.Marshal(fields)
		}
	}
	return d, known.Rev, err
}
