package replay

// PlainTimers lets s wait by timers that package synctest knows.
func PlainTimers(s Scenario) Scenario {
	s.plainTimers = true
	return s
}
