package traces

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// openPayloads opens a file in memory.
func openPayloads(t *testing.T, file []byte) *PayloadFile {
	t.Helper()
	p, err := OpenPayloads(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// of returns the payloads of a channel's blocks from first to before end.
func of(all []Payload, channel string, first, end event.BlockNum) (some []Payload) {
	for _, p := range all {
		if p.Channel == channel && p.Block >= first && p.Block < end {
			some = append(some, p)
		}
	}
	return some
}

// The payloads of any range of a channel's blocks are found, with the index and without.
func TestPayloadFile(t *testing.T) {
	whole, all := payloadFile(t)
	for _, file := range [][]byte{whole, whole[:len(whole)-3]} {
		p := openPayloads(t, file)
		for _, channel := range []string{"ch1", "ch2"} {
			for _, r := range [][2]event.BlockNum{{0, 200}, {0, 1}, {3, 77}, {54, 57}, {200, 300}} {
				want := of(all, channel, r[0], r[1])
				got := collect(t, p.Blocks(channel, r[0], int(r[1]-r[0])))
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s, blocks %d to %d: %d payloads, want %d", channel, r[0], r[1], len(got), len(want))
				}
				if n := p.Count(channel, r[0], int(r[1]-r[0])); n != len(want) {
					t.Errorf("%s, blocks %d to %d: counted %d, want %d", channel, r[0], r[1], n, len(want))
				}
			}
		}
		if n := p.Count("ch3", 0, 100); n != 0 {
			t.Errorf("a channel that is not there has %d payloads", n)
		}
	}
}

// Whatever the order in the file, the blocks come in theirs.
func TestPayloadFileInAnyOrder(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		var b bytes.Buffer
		w, err := NewWriter(&b, Header{Streams: payloadStreams}, WriterConfig{PayloadChunkBytes: 500})
		if err != nil {
			t.Fatal(err)
		}
		const blocks = 60
		for _, n := range r.Perm(blocks) {
			if err := w.Payload("ch1", event.BlockNum(n), bytes.Repeat([]byte{byte(n)}, 1+r.IntN(100))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		p := openPayloads(t, b.Bytes())
		got := collect(t, p.Blocks("ch1", 5, blocks))
		if len(got) != blocks-5 || p.Count("ch1", 5, blocks) != blocks-5 {
			t.Fatalf("seed %d: %d payloads, want %d", seed, len(got), blocks-5)
		}
		for i, x := range got {
			if x.Block != event.BlockNum(5+i) || x.Bytes[0] != byte(5+i) {
				t.Fatalf("seed %d: payload %d is that of block %d", seed, i, x.Block)
			}
		}
	}
}

// A damaged chunk is an error where its blocks are asked for, and nowhere else.
func TestPayloadFileDamaged(t *testing.T) {
	file, _ := payloadFile(t)
	_, x, err := ReadIndex(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var last IndexEntry
	for _, c := range x.Chunks {
		if c.Type == ChunkPayloads && c.Extents[0].Stream == 0 {
			last = c
		}
	}
	file[last.Offset+last.Length-2] ^= 1
	p := openPayloads(t, file)
	bad := last.Extents[0].First
	collect(t, p.Blocks("ch1", 0, int(bad)))
	var corrupt *CorruptError
	for _, err = range p.Blocks("ch1", bad, 1) {
	}
	if !errors.As(err, &corrupt) || corrupt.Offset != last.Offset {
		t.Errorf("error %v, want one at byte %d", err, last.Offset)
	}
}
