package report

// What traces say of themselves.
var _ = define(map[string]string{
	"note":            "{text}",
	"dropped_events":  "the recorder could not keep up and dropped {dropped_events}",
	"dropped_samples": "the recorder could not keep up and dropped {dropped_samples}",
	"end_missing":     "the trace was not closed or not copied as a whole: about the last second of events may be missing, or more",
	"end_unfinished":  "the trace was cut short: its last {unreadable_bytes}, from offset {offset_bytes:n} on, belong to an unfinished part and cannot be read, and more may be missing",
	"end_damaged":     "the trace is damaged: its last {unreadable_bytes}, from offset {offset_bytes:n} on, cannot be read: {cause}",
})
