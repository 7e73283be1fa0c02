// Package report writes what package analysis computes for people, as text tables,
// and for programs, as JSON.
//
//   - stats.go: [Stats], the figures of every stream of a trace; [Settings], one row
//     a setting of a what-if replay; [Warnings].
//   - sweep.go: [Sweep], the curve over N in a screenful of rows; [LedgerSweeps], those of
//     several ledgers.
//   - differences.go: [Identity], how far to trust a forecast, in a line; [Forecasts],
//     what was forecast beside what was measured.
//   - ledgers.go: [Ledgers], what was measured of real ledgers, medians of their runs.
//   - costs.go: [Costs], what a ledger's stages cost.
//   - json.go: [JSON].
//   - table.go: columns that line up.
//
// A figure that a trace does not tell is a dash. Numbers are written by the Format
// functions of package analysis. Every function writes to w and returns its error;
// nothing is kept.
package report
