package pipeline

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// doorLog is what a real peer's DEBUG log tells of the door, by block number.
type doorLog struct{ atDoor, enqueued, dequeued map[int]time.Duration }

var (
	logTime     = regexp.MustCompile(`^\d{4}-\d\d-\d\d (\d\d):(\d\d):(\d\d\.\d{6})`)
	logAdding   = regexp.MustCompile(`addPayload -> \[ch1\] Adding payload to local buffer, blockNum = \[(\d+)\]`)
	logSize     = regexp.MustCompile(`addPayload -> Blocks payloads buffer size for channel \[ch1\]`)
	logTransfer = regexp.MustCompile(`deliverPayloads -> \[ch1\] Transferring block \[(\d+)\]`)
)

func readDoorLog(t *testing.T, run string) doorLog {
	t.Helper()
	f, err := os.Open(filepath.Join(moduleRoot(t), "..", "shared", "data", run, "peer.log.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the real runs are not here: ../shared/data beside the module")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	log := doorLog{map[int]time.Duration{}, map[int]time.Duration{}, map[int]time.Duration{}}
	last := -1
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		stamp := logTime.FindSubmatch(lines.Bytes())
		if stamp == nil {
			continue
		}
		at, err := time.ParseDuration(string(stamp[1]) + "h" + string(stamp[2]) + "m" + string(stamp[3]) + "s")
		if err != nil {
			t.Fatal(err)
		}
		if m := logAdding.FindSubmatch(lines.Bytes()); m != nil {
			last, _ = strconv.Atoi(string(m[1]))
			log.atDoor[last] = at
		} else if m := logTransfer.FindSubmatch(lines.Bytes()); m != nil {
			n, _ := strconv.Atoi(string(m[1]))
			log.dequeued[n] = at
		} else if last >= 0 && logSize.Match(lines.Bytes()) {
			log.enqueued[last] = at
			last = -1
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return log
}

// TestDoorOfRealPeers holds the rule of the door against the logs of real peers: given
// when their blocks came to the door and when their committer popped, it says which of
// them had to wait, and for how many looks. A look of a real peer is up to a few
// milliseconds late, and where room was made within those the log cannot tell.
func TestDoorOfRealPeers(t *testing.T) {
	for run, n := range map[string]int{"fabric-2.5-burst-n2-debug": 2, "fabric-2.5-burst-n20-debug": 20, "fabric-2.5-mvcc-debug": 20} {
		t.Run(run, func(t *testing.T) {
			const late = 15 * time.Millisecond
			log := readDoorLog(t, run)
			capacity := Policy{Fabric, n, EnqueueRetry}.Capacity()
			waits, doubtful, wrong := 0, 0, 0
			for block, door := range log.atDoor {
				enqueued, ok1 := log.enqueued[block]
				room, ok2 := log.dequeued[block-capacity]
				if !ok1 || !ok2 {
					continue
				}
				want := door
				if door < room {
					want = time.Duration(opens(int64(door), int64(room), int64(EnqueueRetry)))
					waits++
				}
				switch off := enqueued - want; {
				case off >= -time.Millisecond && off < late:
				case (room-door).Abs() < time.Millisecond || off < 0 && off > -EnqueueRetry && want-room > EnqueueRetry-late:
					doubtful++
				default:
					wrong++
					t.Logf("block %d: at the door %v, room %v, enqueued %v, want %v", block, door, room, enqueued, want)
				}
			}
			t.Logf("%d blocks, %d waited, %d doubtful, %d wrong", len(log.atDoor), waits, doubtful, wrong)
			if waits < 20 || doubtful > waits/10 || wrong > waits/50 {
				t.Errorf("of %d waits at the door %d are doubtful and %d differ from the rule", waits, doubtful, wrong)
			}
		})
	}
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
