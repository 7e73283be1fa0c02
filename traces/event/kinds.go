package event

import (
	"cmp"
	"fmt"
	"slices"
)

// A description is what the program knows of a kind.
type description struct {
	// name is what the text form of a trace calls the kind, and unit that of its values;
	// counts have none.
	name, unit string

	// place orders the instants along a block's way; 0: the kind is a fact.
	place int
	// wait is where the block is before this instant, since the one before.
	wait string
	// after are instants of the same block that come no later than this one. The order of
	// sent and received is not known: the orderer's Send may return after the peer has read.
	after []Kind
	// ascends says that the instants ascend with the block number.
	ascends bool
	// source says where a trace gets the instant from.
	source string
}

const (
	inPeerLog   = "they are in the peer's log"
	inDebugLog  = inPeerLog + " at level DEBUG of gossip.state, or in a replay"
	nanoseconds = "ns"
)

// kinds describes every kind. A new kind takes a number at the end of the constants and an
// entry here; a new instant also takes a place on the way.
var kinds = [NumKinds]description{
	Offered: {name: "offered", unit: nanoseconds, place: 10, ascends: true,
		source: "they are in the orderer's log"},
	Sent: {name: "sent", unit: nanoseconds, place: 20, wait: "orderer", after: []Kind{Offered},
		source: "they are in the orderer's log at level DEBUG, or in a replay"},
	Received: {name: "received", unit: nanoseconds, place: 30, wait: "link", after: []Kind{Offered},
		source: "a replay or a run of the embedded pipeline has them"},
	AtDoor:    {name: "at_door", unit: nanoseconds, place: 40, wait: "intake", after: []Kind{Received}, source: inDebugLog},
	Enqueued:  {name: "enqueued", unit: nanoseconds, place: 50, wait: "door", after: []Kind{AtDoor}, ascends: true, source: inDebugLog},
	Dequeued:  {name: "dequeued", unit: nanoseconds, place: 60, wait: "buffer", after: []Kind{Enqueued}, ascends: true, source: inPeerLog},
	Validated: {name: "validated", unit: nanoseconds, place: 70, wait: "validate", after: []Kind{Dequeued}, source: inPeerLog},
	Committed: {name: "committed", unit: nanoseconds, place: 80, wait: "commit", after: []Kind{Validated, Offered}, ascends: true, source: inPeerLog},

	Transactions:        {name: "transactions"},
	Bytes:               {name: "bytes", unit: "bytes"},
	Writes:              {name: "writes"},
	StateValidation:     {name: "state_validation_ns", unit: nanoseconds},
	BlockStore:          {name: "block_store_ns", unit: nanoseconds},
	StateCommit:         {name: "state_commit_ns", unit: nanoseconds},
	HistoryCommit:       {name: "history_commit_ns", unit: nanoseconds},
	CommitHash:          {name: "commit_hash"},
	InvalidTransactions: {name: "invalid_transactions"},
}

var way = func() (instants []Kind) {
	for k := range Kind(NumKinds) {
		if k.IsTime() {
			instants = append(instants, k)
		}
	}
	slices.SortFunc(instants, func(a, b Kind) int { return cmp.Compare(kinds[a].place, kinds[b].place) })
	return instants
}()

// Way returns the kinds that are instants, in the order in which a block passes them.
func Way() []Kind { return slices.Clone(way) }

// Valid reports whether k is a kind that this version knows.
func (k Kind) Valid() bool { return int(k) < NumKinds }

// IsTime reports whether the values of k are instants (Time), not counts, sizes or durations.
func (k Kind) IsTime() bool { return k.Valid() && kinds[k].place > 0 }

// Precedes reports whether a block passes instant k before instant l.
func (k Kind) Precedes(l Kind) bool { return kinds[k].place < kinds[l].place }

// Unit returns the unit of the values: ns, bytes, or nothing for a count.
func (k Kind) Unit() string { return kinds[k].unit }

// Wait names where a block is between instant k and the one before it on the way: "buffer".
func (k Kind) Wait() string { return kinds[k].wait }

// After returns the instants that come no later than instant k of the same block.
func (k Kind) After() []Kind { return slices.Clone(kinds[k].after) }

// Ascends reports whether the instants of kind k ascend with the block number.
func (k Kind) Ascends() bool { return kinds[k].ascends }

// Source says where a trace gets the instants of kind k from, as half a sentence: "they are in the
// peer's log".
func (k Kind) Source() string { return kinds[k].source }

// String returns the kind's name as the text form of a trace spells it.
func (k Kind) String() string {
	if !k.Valid() {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kinds[k].name
}

// ParseKind is the inverse of String.
func ParseKind(name string) (Kind, bool) {
	for k := range Kind(NumKinds) {
		if kinds[k].name == name {
			return k, true
		}
	}
	return 0, false
}
