package event

import (
	"slices"
	"testing"
)

// TestKinds holds that every kind is described, and every instant placed after those that it follows.
func TestKinds(t *testing.T) {
	for k := range Kind(NumKinds) {
		if back, ok := ParseKind(k.String()); !ok || back != k {
			t.Errorf("kind %d: its name %q is that of kind %d", k, k, back)
		}
		if k.IsTime() != (k.Source() != "") || k.IsTime() && k.Unit() != "ns" {
			t.Errorf("%v: an instant %v, in %q, from %q", k, k.IsTime(), k.Unit(), k.Source())
		}
		for _, before := range k.After() {
			if !before.Precedes(k) {
				t.Errorf("%v does not precede %v", before, k)
			}
		}
	}
	way := []Kind{Offered, Sent, Received, AtDoor, Enqueued, Dequeued, Validated, Committed}
	if !slices.Equal(Way(), way) {
		t.Errorf("the way is %v", Way())
	}
	if _, ok := ParseKind("kind(99)"); ok || Kind(99).IsTime() || Kind(99).Valid() {
		t.Error("kind 99 is known")
	}
}
