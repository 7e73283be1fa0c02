package ledger

import (
	"bytes"
	"testing"

	"github.com/blockreel/blockreel/replay/block"
)

// FuzzDecode: what stands in a table is read back or refused, whatever it is.
func FuzzDecode(f *testing.F) {
	r := record{block: block.Block{Transactions: 2, Writes: 3, Payload: []byte("payload")}, codes: []byte{0, 11}}
	f.Add(append(r.appendHead(nil), r.block.Payload...))
	for _, s := range []stateValue{
		{version: version{7, 3}, value: []byte("value")},
		{version: version{7, 3}, deleted: true},
		{version: version{1 << 40, 3}, metadata: []byte("meta"), value: []byte("value")},
		{version: version{7, 3}, unknown: true, metadata: []byte("meta")},
		{version: version{7, 3}, forgotten: true, metadata: []byte("meta")},
	} {
		f.Add(s.append(nil))
		f.Add(append(s.append(nil), "more"...))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := decodeRecord(5, raw); err == nil {
			if again := append(r.appendHead(nil), r.block.Payload...); !bytes.Equal(again, raw) {
				t.Errorf("record %x comes back as %x", raw, again)
			}
		}
		if s, ok := decodeState(raw); ok {
			again, ok := decodeState(s.append(nil))
			if !ok || again.version != s.version || again.deleted != s.deleted || again.unknown != s.unknown || again.forgotten != s.forgotten ||
				!bytes.Equal(again.value, s.value) || !bytes.Equal(again.metadata, s.metadata) {
				t.Errorf("%+v comes back as %+v", s, again)
			}
		}
	})
}

// No key of a value is another one's, or one of the ledger's own.
func TestStateKeys(t *testing.T) {
	own := [][]byte{savepointKey, originKey, nameless}
	for _, namespace := range []string{"", "basic", "\x00a", "a\x00b\x00"} {
		own = append(own, appendMetadataMark(nil, []byte(namespace)))
	}
	seen := map[string]bool{}
	for _, key := range own {
		seen[string(key)] = true
	}
	for _, c := range [][2]string{
		{"basic", "asset1"}, {"basic", "\x00color\x00red\x00"}, {"basic$$hsecret", "\x00\xff"}, {"basic", ""}, {"", "config"},
		{"", "\x00"}, {"", "\x01"}, {"", "\x01basic"}, {"", "\x02"}, {"", "basic"}, {"\x00\x01basic", ""}, {"\x00", ""},
	} {
		key := string(appendStateKey(nil, c[0], c[1]))
		if seen[key] {
			t.Errorf("%q has the key %q of another", c, key)
		}
		seen[key] = true
	}
}
