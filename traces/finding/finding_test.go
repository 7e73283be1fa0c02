package finding

import (
	"encoding/json"
	"testing"
	"time"
)

func TestFindingsKeepTheirValuesInJSON(t *testing.T) {
	type number uint64
	f := Warn("late_blocks", V{
		"late_blocks": number(7), "late_ns": 3 * time.Millisecond, "late_share": 0.25, "whole_share": 1.0,
		"node": "peer0", "nodes": []string{"a", "b"}, "last_ns": int64(1)<<62 + 1,
	}).On("ch1@peer0").About(OfReplayed)
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"code":"late_blocks","severity":"warning","stream":"ch1@peer0","of":"replayed","values":` +
		`{"last_ns":4611686018427387905,"late_blocks":7,"late_ns":3000000,"late_share":0.25,"node":"peer0","nodes":["a","b"],"whole_share":1}}`
	if string(data) != want {
		t.Errorf("JSON %s, want %s", data, want)
	}
	var back Finding
	if err := json.Unmarshal(data, &back); err != nil || back.Stream != f.Stream || !back.Same(f) {
		t.Errorf("read back %v, %v; want %v", back, err, f)
	}
	for _, bad := range []string{`{"values":{"a":[1]}}`, `{"values":{"a":{}}}`, `{"values":{"a":null}}`, `{"values":[]}`} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestAddKeepsEachFindingOnce(t *testing.T) {
	a := Note("few_blocks", V{"blocks": 5})
	list := Add(nil, a, a.On("x"), Note("few_blocks", V{"blocks": 6}), a, a.On("x"), a.About(OfCut))
	if len(list) != 4 {
		t.Errorf("%d findings, want 4: %v", len(list), list)
	}
	if n := len(Of(append(list, Warn("w", nil)), Warning)); n != 1 {
		t.Errorf("%d warnings, want 1", n)
	}
}
