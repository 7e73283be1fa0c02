package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/blockreel/blockreel/traces/event"
)

// These turn the test binary into the child of TestSyncs.
const (
	syncDir  = "BLOCKREEL_TEST_SYNC_DIR"
	syncSpec = "BLOCKREEL_TEST_SYNC_SPEC"
)

// commitWatched commits blocks when this is the child of TestSyncs, and writes a byte before and
// after each.
func commitWatched() {
	dir := os.Getenv(syncDir)
	if dir == "" {
		return
	}
	l, err := Open(os.Getenv(syncSpec), Config{Dir: dir, Channel: "ch1"})
	ctx := context.Background()
	for n := event.BlockNum(0); n < 10 && err == nil; n++ {
		b := testBlock(n)
		if err = l.Validate(ctx, b); err == nil {
			os.Stdout.Write([]byte{'b'})
			_, err = l.Commit(ctx, b)
			os.Stdout.Write([]byte{'e'})
		}
	}
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A commit returns when its block is on the disk: the system is asked for that, and has said
// so, within every one. With sync=false it is not asked, or this test sees nothing.
func TestSyncs(t *testing.T) {
	if testing.Short() {
		t.Skip("follows processes")
	}
	// Those that sync one store after another.
	stores := map[string]int{"leveldb": 4, "couchdb": 3}
	each(t, true, func(t *testing.T, spec string) {
		// The ledger's directory, and those above it, are there after a crash, too.
		top := t.TempDir()
		dir := filepath.Join(top, "peer", "ch1")
		opening, commits := watchSyncs(t, spec, dir)
		if len(commits) != 10 {
			t.Fatalf("%d commits were seen", len(commits))
		}
		if !Durable(spec) {
			if !slices.ContainsFunc(commits, func(n int) bool { return n == 0 }) {
				t.Errorf("syncs in each commit: %d", commits)
			}
			return
		}
		name, _, _ := strings.Cut(spec, ":")
		if least := max(1, stores[name]); slices.Min(commits) < least {
			t.Errorf("syncs in each commit: %d, want %d or more", commits, least)
		}
		for _, want := range []string{top, filepath.Dir(dir), dir} {
			if !slices.Contains(opening, want) {
				t.Errorf("%s was not synced when the ledger was made, but %q", want, opening)
			}
		}
	})
}

// watchSyncs runs the child, and gives the files that were synced before its first commit, and how
// often any was synced within each.
func watchSyncs(t *testing.T, spec, dir string) (opening []string, commits []int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), syncDir+"="+dir, syncSpec+"="+spec, "GORACE=atexit_sleep_ms=0")
	child.Stderr = os.Stderr
	markers, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer markers.Close()
	child.Stdout = markers
	within := false
	err = follow(child, func(c call) {
		switch c.number {
		case syscall.SYS_WRITE:
			if c.args[0] == 1 {
				if within = !within; within {
					commits = append(commits, 0)
				}
			}
		case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC, syscall.SYS_MSYNC:
			if c.failed {
				return
			}
			if within {
				commits[len(commits)-1]++
			} else if len(commits) == 0 {
				opening = append(opening, c.file)
			}
		}
	})
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSYS) {
		t.Skipf("processes cannot be followed here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return opening, commits
}

// call is a system call that has ended.
type call struct {
	number uint64
	args   [6]uint64
	file   string // of the first argument, for fsync and fdatasync
	failed bool
}

// callInfo is struct ptrace_syscall_info of linux/ptrace.h.
type callInfo struct {
	op                          uint8
	_                           [3]uint8
	arch                        uint32
	instruction, stack, numberX uint64 // numberX: the number at the beginning, what is returned at the end
	args                        [6]uint64
}

const (
	callBegins    = 1
	callEnds      = 2
	getCallInfo   = 0x420e   // PTRACE_GET_SYSCALL_INFO
	exitKill      = 0x100000 // PTRACE_O_EXITKILL
	waitAll       = 0x40000000
	stoppedInCall = syscall.SIGTRAP | 0x80
)

// follow runs a process and tells of its system calls, those of all its threads in the order in
// which they end.
func follow(cmd *exec.Cmd, ended func(call)) error {
	runtime.LockOSThread() // the system takes orders from one thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	first := cmd.Process.Pid
	defer cmd.Process.Release()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(first, &status, waitAll, nil); err != nil {
		return err
	}
	options := syscall.PTRACE_O_TRACECLONE | syscall.PTRACE_O_TRACESYSGOOD | exitKill
	if err := errors.Join(syscall.PtraceSetOptions(first, options), syscall.PtraceSyscall(first, 0)); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	begun := make(map[int]call) // by thread
	for {
		thread, err := syscall.Wait4(-first, &status, waitAll, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		switch {
		case err != nil:
			return err
		case thread == first && (status.Exited() || status.Signaled()):
			if status.ExitStatus() != 0 {
				return fmt.Errorf("the child ended with %d", status.ExitStatus())
			}
			return nil
		case !status.Stopped():
			continue
		}
		pass := 0
		switch signal := status.StopSignal(); signal {
		case stoppedInCall:
			if err := within(thread, first, begun, ended); err != nil {
				return errors.Join(err, cmd.Process.Kill())
			}
		case syscall.SIGTRAP, syscall.SIGSTOP: // a new thread
		default:
			pass = int(signal)
		}
		if err := syscall.PtraceSyscall(thread, pass); err != nil && !errors.Is(err, syscall.ESRCH) {
			return errors.Join(err, cmd.Process.Kill())
		}
	}
}

// within looks at the call that a thread begins or ends.
func within(thread, process int, begun map[int]call, ended func(call)) error {
	var info callInfo
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, getCallInfo, uintptr(thread), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno == syscall.ESRCH {
		return nil // the process has just ended
	}
	if errno != 0 {
		return errno
	}
	switch info.op {
	case callBegins:
		c := call{number: info.numberX, args: info.args}
		if c.number == syscall.SYS_FSYNC || c.number == syscall.SYS_FDATASYNC {
			c.file, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", process, c.args[0]))
		}
		begun[thread] = c
	case callEnds:
		if c, ok := begun[thread]; ok {
			c.failed = int64(info.numberX) < 0
			ended(c)
		}
	}
	return nil
}
