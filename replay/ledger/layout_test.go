package ledger

import (
	"bytes"
	"testing"

	"github.com/blockreel/blockreel/replay/block"
)

// FuzzDecode: what stands in a table is read back or refused, whatever it is.
func FuzzDecode(f *testing.F) {
	r := record{block: block.Block{Transactions: 2, Writes: 3, Payload: []byte("payload")}, codes: []byte{0, 11}}
	f.Add(r.append(nil))
	for _, s := range []stateValue{
		{version: version{7, 3}, value: []byte("value")},
		{version: version{7, 3}, deleted: true},
		{version: version{1 << 40, 3}, metadata: []byte("meta"), value: []byte("value")},
	} {
		f.Add(s.append(nil))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if r, err := decodeRecord(5, raw); err == nil {
			if again := r.append(nil); !bytes.Equal(again, raw) {
				t.Errorf("record %x comes back as %x", raw, again)
			}
		}
		if s, ok := decodeState(raw); ok {
			again, ok := decodeState(s.append(nil))
			if !ok || again.version != s.version || again.deleted != s.deleted ||
				!bytes.Equal(again.value, s.value) || !bytes.Equal(again.metadata, s.metadata) {
				t.Errorf("%+v comes back as %+v", s, again)
			}
		}
	})
}

func TestStateKeys(t *testing.T) {
	for _, c := range [][2]string{{"basic", "asset1"}, {"basic", "\x00color\x00red\x00"}, {"basic$$hsecret", "\x00\xff"}, {"", "config"}} {
		namespace, key := splitStateKey(appendStateKey(nil, c[0], c[1]))
		if string(namespace) != c[0] || string(key) != c[1] {
			t.Errorf("%q comes back as %q, %q", c, namespace, key)
		}
	}
}
