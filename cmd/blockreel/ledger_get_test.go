package main

import (
	"strings"
	"testing"

	"github.com/blockreel/blockreel/replay/ledger"
)

// A long value is cut between two characters, not within one.
func TestLongValuesAreCutAtACharacter(t *testing.T) {
	text := strings.Repeat("ä", 300) // of two bytes each, one of them across the limit
	for _, value := range []string{text, "x" + text} {
		shown := valueOf(ledger.Value{Value: []byte(value)}).show()
		if strings.Contains(shown, `\x`) || !strings.Contains(shown, "ää\"… (") {
			t.Errorf("shown is %s", shown)
		}
	}
	if got := valueOf(ledger.Value{Value: []byte("short")}).show(); got != `"short"` {
		t.Errorf("a short value is shown as %s", got)
	}
}
