package recorder

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// killFile turns the test binary into the child of TestKill, which records there.
const killFile = "BLOCKREEL_TEST_KILL_FILE"

// tellingFile prints its size after each Write.
type tellingFile struct {
	*os.File
	size int
}

func (f *tellingFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	f.size += n
	fmt.Println(f.size)
	return n, err
}

// recordUntilKilled records events as fast as it can.
func recordUntilKilled() {
	path := os.Getenv(killFile)
	if path == "" {
		return
	}
	file, err := os.Create(path)
	if err == nil {
		var r *Recorder
		if r, err = New(&tellingFile{File: file}, header("ch1"), Config{FlushEvery: time.Millisecond}); err == nil {
			for n := event.BlockNum(0); ; n++ {
				r.Observe(committed(0, n))
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A process that records is killed. What it had written by then is a trace, and the
// reader says that its end is missing.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.reel")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killFile+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	size := 0
	lines := bufio.NewScanner(out)
	for i := 1; lines.Scan(); i++ {
		if size, err = strconv.Atoi(lines.Text()); err != nil {
			t.Errorf("the child says %q", lines.Text())
		}
		if i == 4 { // the header and three chunks
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
	tr, err := traces.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if tr.Loss == nil || tr.Loss.Offset < int64(size) {
		t.Errorf("loss %+v of a trace whose first %d bytes are whole chunks", tr.Loss, size)
	}
	tl := tr.Timelines[0]
	if tl.Observed(event.Committed) == 0 {
		t.Fatal("no event came through")
	}
	for i, v := range tl.Column(event.Committed) {
		if want := committed(0, tl.Block(i)).Value; v != event.Missing && v != want {
			t.Fatalf("block %d: %d, want %d", tl.Block(i), v, want)
		}
	}
}
