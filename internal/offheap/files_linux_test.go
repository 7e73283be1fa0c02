package offheap

import "testing"

func letGo() {
	files.mu.Lock()
	defer files.mu.Unlock()
	files.letGo()
}

// What is let go is in the process's memory no more.
func TestResident(t *testing.T) {
	const size = 32 << 20
	c := Make[int64](size / 8)
	for i := range c {
		c[i] = 1
	}
	// The goroutine that lets go leaves as little as this alone.
	if got := files.shared(); got < size {
		t.Skipf("%d bytes of mapped files after %d were written: the system does not tell, or does not map", got, size)
	}
	before := files.shared()
	letGo()
	if after := files.shared(); after > before-size/2 {
		t.Errorf("%d bytes of mapped files, %d before", after, before)
	}
	Free(c)
	if len(files.at) != 0 {
		t.Errorf("%d files are mapped still", len(files.at))
	}
}
