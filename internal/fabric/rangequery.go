package fabric

import "google.golang.org/protobuf/encoding/protowire"

// RangeQuery is a range that the simulation went through, from StartKey up to and
// without EndKey; an empty EndKey is the end of the namespace.
type RangeQuery struct {
	StartKey, EndKey []byte
	// Exhausted: the simulation saw the whole range. Else EndKey is the last key that it
	// saw, and belongs to the range.
	Exhausted bool
	// Reads are the results, unless there were too many: then Summary is set.
	Reads   []Read
	Summary *MerkleSummary
}

// MerkleSummary stands for a range query's results: a level of the Merkle tree over them
// (core/ledger/kvledger/txmgmt/rwsetutil: RangeQueryResultsHelper).
type MerkleSummary struct {
	MaxDegree, MaxLevel uint32
	// Hashes are those of MaxLevel.
	Hashes [][]byte
}

func (v *viewer) query(q *RangeQuery, msg []byte) error {
	f := fields{rest: msg}
	for f.next() {
		switch f.num {
		case 1:
			if f.text() {
				q.StartKey = f.bytes
			}
		case 2:
			if f.text() {
				q.EndKey = f.bytes
			}
		case 3:
			if f.want(protowire.VarintType) {
				q.Exhausted = f.varint != 0
			}
		case 4:
			if f.want(protowire.BytesType) {
				q.Summary = nil // of a oneof, the last one counts
				f.err = v.found(q, f.bytes)
			}
		case 5:
			if f.want(protowire.BytesType) {
				q.Reads = nil
				f.err = v.summary(q, f.bytes)
			}
		}
	}
	return f.err
}

// found reads a QueryReads: the results of a query.
func (v *viewer) found(q *RangeQuery, msg []byte) error {
	lists, err := tally(msg)
	if err == nil {
		err = reserve(v, &q.Reads, lists[1])
	}
	f := fields{rest: msg, err: err}
	for f.next() {
		if f.num == 1 && f.want(protowire.BytesType) {
			f.err = add(&q.Reads).parse(f.bytes, false)
		}
	}
	return f.err
}

// summary reads a QueryReadsMerkleSummary.
func (v *viewer) summary(q *RangeQuery, msg []byte) error {
	lists, err := tally(msg)
	if err == nil && q.Summary == nil {
		var one []MerkleSummary
		err = reserve(v, &one, 1)
		q.Summary = add(&one)
	}
	s := q.Summary
	if err == nil {
		err = reserve(v, &s.Hashes, lists[3])
	}
	f := fields{rest: msg, err: err}
	for f.next() {
		switch f.num {
		case 1:
			if f.want(protowire.VarintType) {
				s.MaxDegree = uint32(f.varint)
			}
		case 2:
			if f.want(protowire.VarintType) {
				s.MaxLevel = uint32(f.varint)
			}
		case 3:
			if f.want(protowire.BytesType) {
				s.Hashes = append(s.Hashes, f.bytes)
			}
		}
	}
	return f.err
}
