//go:build !linux

package driver

import "time"

// preciseTimer is not known on this system.
type preciseTimer struct{ rings chan time.Time }

func newPreciseTimer() *preciseTimer      { return nil }
func (t *preciseTimer) set(time.Duration) {}
func (t *preciseTimer) close()            {}
