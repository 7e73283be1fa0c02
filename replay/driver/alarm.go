package driver

import "time"

// An Alarm rings at deadlines. Where the system can, it does so within some ten
// microseconds; Go's own timers are up to a millisecond late on an idle machine, since
// the network poller that they sleep in counts milliseconds. An Alarm belongs to one
// goroutine and must be closed.
type Alarm struct {
	// C has a value after the alarm has rung, now and then one of a deadline that was
	// replaced: look at the clock.
	C <-chan time.Time

	timer *time.Timer
	clock *preciseTimer // nil: timer does it
}

// NewAlarm returns an alarm that is not set.
func NewAlarm() *Alarm {
	if clock := newPreciseTimer(); clock != nil {
		return &Alarm{C: clock.rings, clock: clock}
	}
	return NewPlainAlarm()
}

// NewPlainAlarm returns an alarm made of Go's timers, as synctest knows them.
func NewPlainAlarm() *Alarm {
	timer := time.NewTimer(0)
	timer.Stop()
	return &Alarm{C: timer.C, timer: timer}
}

// Set makes the alarm ring when left has passed, and no more at an earlier setting's time.
func (a *Alarm) Set(left time.Duration) {
	left = max(left, 1)
	if a.clock != nil {
		a.clock.set(left)
		return
	}
	a.timer.Reset(left)
}

// Close silences the alarm for good.
func (a *Alarm) Close() {
	if a.clock != nil {
		a.clock.close()
		return
	}
	a.timer.Stop()
}
