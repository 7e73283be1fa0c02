// Package cost is the time that a ledger takes for a block, as a model that was fitted to
// measured blocks: so that buffers × ledgers can be asked for in simulated time, without
// the ledgers.
//
// The way through it:
//
//  1. Fit takes Observations, blocks with their Shape and the time of each stage, and gives
//     a Model (fit.go). Write and Read keep it in a small JSON document (file.go).
//  2. Model.Times forecasts the stages of a block from its number and Shape.
//  3. Model.Strange says what about other shapes the model cannot know.
//
// # The model
//
// Each stage costs fixed + per transaction + per write + per byte, none of them negative
// (solve.go). What the data cannot tell apart is not told apart: a count that hardly
// varies, or that follows from the others, gets no coefficient of its own, its cost is
// then in another's, and the Model says so (shape.go).
//
// The coefficients are fitted robustly (Huber's weights): a compaction that stops a commit
// for a second has nothing to do with the block that it hit, and by least squares a
// few such stalls would turn the slopes. But they are part of the truth: they are in the
// makespan, and in the tail more than anything else. So nothing is thrown away. What the
// coefficients leave of a measured block, for all stages together, goes into the residuals
// (residual.go): their distribution among blocks of about the same cost, with its mean
// kept exactly and its greatest values one by one, and their order in the run. A forecast
// adds them to its blocks in that order, again and again: so sums are right, stalls
// come as often as they were seen and in the bursts in which they were seen, and the same
// block always takes the same time. Of very long runs the order is kept in stretches.
//
// # How far to trust it
//
// Fit holds out blocks by contiguous segments, fits the rest, forecasts what was held
// out and keeps the errors (heldout.go): in the Model, and with every forecast made from it.
// A ledger that slows down as it grows shows there, and as Drift.
//
// # The file
//
// A .cost file is one JSON document of at most a megabyte, with the unit in each name:
// blockreel_cost is the version; ledger, blocks, warmup_blocks, made_up_blocks and per_block
// say what was measured, machine where and when (machine.go): a forecast is valid only there;
// merged_terms, held_out and drift how good it is; stages has the
// coefficients; residuals the strata of each class, a row of six stages each, in ns; and
// order_of_ranks_ppm, for each measured block in turn, the share of its class that
// took less. A ledger's costs can be edited by hand, "what if an fsync took half": Read takes what is
// consistent.
//
// Nothing here reads a clock or draws random numbers. Neighbours: package replay drives
// the ledgers that are fitted, and puts the forecasts into its pipeline.
package cost
