package mint

import "google.golang.org/protobuf/encoding/protowire"

// maxPoolBytes bounds the transactions that a builder keeps. A run whose blocks have
// ever new sizes throws the pool away and signs again.
const maxPoolBytes = 64 << 20

// pool keeps signed transactions by shape, and how many bytes a transaction has besides
// its padding.
type pool struct {
	bytes int
	rings map[shape]*ring
	// bare is the size of a transaction without padding, by its number of writes.
	bare map[int]int
}

type shape struct{ writes, padding int }

// ring is used in turn, once it is full.
type ring struct {
	envelopes [][]byte
	turn      int
}

func newPool() pool {
	return pool{rings: map[shape]*ring{}, bare: map[int]int{}}
}

// transaction gives an envelope that takes about size bytes of a block of so many
// transactions.
func (b *Builder) transaction(writes, size, among int) ([]byte, error) {
	bare, known := b.pool.bare[writes]
	if !known {
		envelope, err := b.sign(writes, 0)
		if err != nil {
			return nil, err
		}
		bare = protowire.SizeTag(1) + protowire.SizeBytes(len(envelope))
		b.pool.bare[writes] = bare
	}
	padding := max(0, size-bare)
	if b.config.Fresh {
		return b.sign(writes, padding)
	}
	// To 1/64 of the size: a trace's blocks are of many sizes, and each shape has its
	// own transactions.
	step := max(1, size/64)
	key := shape{writes, padding / step * step}
	r := b.pool.rings[key]
	if r == nil {
		r = &ring{}
		b.pool.rings[key] = r
	}
	// No transaction is twice in a block.
	if len(r.envelopes) < max(poolSize, among) {
		envelope, err := b.sign(writes, key.padding)
		if err != nil {
			return nil, err
		}
		b.pool.add(key, r, envelope)
		return envelope, nil
	}
	envelope := r.envelopes[r.turn]
	r.turn = (r.turn + 1) % len(r.envelopes)
	return envelope, nil
}

func (p *pool) add(key shape, r *ring, envelope []byte) {
	if p.bytes+len(envelope) > maxPoolBytes {
		clear(p.rings)
		p.bytes = 0
		r.envelopes = nil
		r.turn = 0
		p.rings[key] = r
	}
	r.envelopes = append(r.envelopes, envelope)
	p.bytes += len(envelope)
}
