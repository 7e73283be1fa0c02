package analysis

import "testing"

func TestSpreadOf(t *testing.T) {
	if s := SpreadOf([]float64{5, 1, 3, 2}); s != (Spread{4, 2.5, 1, 5}) {
		t.Errorf("spread %+v", s)
	}
	if s := SpreadOf([]float64{3, 1, 2}); s.Median != 2 {
		t.Errorf("median %v", s.Median)
	}
	if s := SpreadOf(nil); s != (Spread{}) {
		t.Errorf("spread of nothing is %+v", s)
	}
}
