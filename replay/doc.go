// Package replay answers "what if": it takes a trace, and gives the trace that the
// same blocks would have left under another buffer, another ledger or another link.
//
// The way through it:
//
//  1. NewModel makes a stream of a trace ready: which blocks it covers, when they
//     were offered, what each cost the committer, and the pipeline's configuration. Of
//     a trace with holes it covers the longest stretch (holes.go).
//     What the trace shows of intake and poll is measured (calibrate.go, fit.go);
//     the preset of the Fabric version stands in for the rest, and Facts says which.
//  2. Model.Identity replays the stream with its own settings: the difference from
//     the trace is how far to trust every forecast made from it.
//  3. Replay replays a trace for buffers × ledgers, in simulated or in real time, into
//     result traces; SweepTrace walks a range of buffer sizes.
//  4. Into a real ledger go the trace's own blocks (real.go), read while the
//     clock stands still, or made-up ones (shape.go). Where the trace has every block from the genesis
//     block on, those before the first that is replayed are committed before the run. A run
//     by the wall clock is measured (wall.go), and is not valid when handing the
//     blocks over, which is in no figure, took too long beside it; what the ledger has found
//     in the blocks is told (real_report.go).
//  5. Calibrate fits a cost model to a ledger (measure.go), with which Replay and
//     SweepCosts forecast it (forecast.go); CheckWall holds a forecast against a run.
//
// The core is in pipeline, what drives it in driver, what it commits to in ledger, what
// that costs in cost.
// Figures are those of package analysis: a forecast never goes without its measured
// error, so this package, against the grain, knows that one.
package replay
