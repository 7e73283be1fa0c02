package ledger

// recordedBackend is no store: the Times that a trace holds, and what a Scale makes of
// them (scale.go).
var recordedBackend = Backend{
	Name:   "recorded",
	About:  "the times that the trace holds, to scale per stage; stores nothing",
	Timing: notMeasured,
}
