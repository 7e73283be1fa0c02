package driver

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// preciseTimer is a timer of the kernel that the network poller wakes for at once.
type preciseTimer struct {
	fd    int
	file  *os.File
	rings chan time.Time
	done  chan struct{}
}

// newPreciseTimer returns nil when the system has no more timers to give.
func newPreciseTimer() *preciseTimer {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil
	}
	t := &preciseTimer{fd: fd, file: os.NewFile(uintptr(fd), "timer"), rings: make(chan time.Time, 1), done: make(chan struct{})}
	go t.run()
	return t
}

func (t *preciseTimer) run() {
	defer close(t.done)
	var expirations [8]byte
	for {
		if _, err := t.file.Read(expirations[:]); err != nil {
			return // it is closed
		}
		select {
		case t.rings <- time.Now():
		default: // it has rung, and nobody has looked yet
		}
	}
}

func (t *preciseTimer) set(left time.Duration) {
	// It fails for values that are not times, which left is.
	_ = unix.TimerfdSettime(t.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}, nil)
}

func (t *preciseTimer) close() {
	t.file.Close()
	<-t.done
}
