package ledger

import (
	"strings"
	"testing"
)

func TestSpace(t *testing.T) {
	free, known := uint64(3000), true
	s := space{"/data", 1000, func(string) (uint64, bool) { return free, known }}
	if err := s.check(1000); err != nil {
		t.Errorf("room enough: %v", err)
	}
	if err := s.check(1001); err == nil || !strings.Contains(err.Error(), "disk full in /data: 3.0 kB free") {
		t.Errorf("too little room: %v", err)
	}
	free, known = 0, false
	if err := s.check(1 << 20); err != nil {
		t.Errorf("a system that does not tell: %v", err)
	}
	if free, ok := freeBytes(t.TempDir()); ok && free == 0 {
		t.Error("the disk of the tests has nothing left, it says")
	}
}
