// Package analysis turns traces into numbers. Recorded and replayed runs take the
// same path; nothing in here knows where a trace comes from.
//
// The way through the package, from a *traces.Timeline to a sentence:
//
//  1. height.go: the heights of the two ledgers and the gap between them, as step
//     [Series], by one exact merge of the offered and the committed times. While
//     blocks are uncommitted they end with the peer's last event: whether it stood
//     still or only its log ended is not known.
//  2. latency.go: the delivery latency, committed − offered, and its parts between
//     the instants that the trace holds. What was not observed is not guessed:
//     neighbouring parts are merged and named after all that they contain. Where
//     commits lie before offers, the clocks differ and there is a [SkewError].
//  3. committer.go: what the committer did between the first offer and the last
//     commit: it was busy, turned around, starved or idle; and when a block stood
//     at the door. After a cut inside a backlog it begins with the first pop.
//  4. stats.go: [Stats] puts these together per stream, with warnings.go saying
//     what weakens the figures (grouped.go makes one of many), and verdict.go saying in one sentence what limits
//     the run, with a bound on what could be won.
//  5. sampled.go: what samples of a node's metrics tell where blocks lack times of
//     their own, the averages of the stages and a verdict by the buffer's depth; and
//     blind.go: when a node was not observed.
//  6. downsample.go: step series small enough to draw, without losing a stall.
//  7. compare.go and sweep.go: the difference of two runs, the curve over N.
//  8. ledgerrun.go: what a run into a real ledger did a second; noise.go and streamruns.go:
//     medians and ranges of repeated runs; apart.go and ledgercompare.go: which settings
//     these tell apart.
//
// A quantity that was not observed is an [Optional] without a value, never zero.
// There is one definition of a percentile (quantile.go) and one of how numbers are
// written for people (format.go); the packages chart and report use these too.
//
// Times are int64 nanoseconds since the start of the trace. Nothing here keeps
// state or does I/O: every function may be called from any goroutine as long as
// nobody writes to the timeline.
package analysis
