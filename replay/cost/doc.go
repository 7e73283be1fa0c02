// Package cost is the time that a ledger takes for a block, as a model that was fitted to
// measured blocks: so that buffers × ledgers can be asked for in simulated time, without
// the ledgers.
//
// The way through it:
//
//  1. Fit takes Observations, blocks of one run or of several with their Shape and the
//     time of each stage (data.go), and gives a Model (fit.go). Write and Read keep it in a
//     small JSON document (file.go).
//  2. Model.Times forecasts the stages of a block from its number and Shape.
//  3. Model.Strange says what about other shapes the model cannot know.
//
// # The model
//
// Each stage costs fixed + per transaction + per write + per byte, none of them negative
// (solve.go). What the data cannot tell apart is not told apart: a count that hardly
// varies, or that follows from the others, gets no coefficient of its own, its cost is
// then in another's, and the Model says so (shape.go). That is decided without the few odd
// blocks at either end of a count: no coefficient hangs on one of them.
//
// The coefficients are fitted robustly (Huber's weights): a compaction that stops a commit
// for a second has nothing to do with the block that it hit, and by least squares a
// few such stalls would turn the slopes. But they are part of the truth: they are in the
// makespan, and in the tail more than anything else. So nothing is thrown away. What the
// coefficients leave of a measured block, for all stages together, goes into the residuals
// (residual.go): their distribution among blocks of about the same cost, with its mean
// kept and the longer ones nearly one by one, and their order in the run. A forecast
// adds them to its blocks in that order, again and again: so stalls come as often as they
// were measured and in the bursts in which they came, and the same block always takes the
// same time. The sum over the measured blocks is theirs. Over others it is that of the
// coefficients and the residuals, but for blocks that would take less than nothing: a
// residual of large blocks of a class can be more than all that a small one takes.
//
// Several runs over the same blocks are fitted together; by how much their mean times
// differ is RunSpread. Forecasts take stretches of their orders in turn. More than MaxBlocks
// are not fitted but sampled, in stretches that are evenly spread over each run (Sample):
// then stalls come as often as in the sample. So a fit takes some tens of megabytes at most,
// 1.2 kB a block allocated in all.
//
// # How far to trust it
//
// Fit holds out blocks by contiguous segments, fits the rest, forecasts what was held
// out and keeps the errors (heldout.go): in the Model, and with every forecast made from it.
// Segments lie between others that were fitted, so what they tell is how well the
// model knows this run. That a ledger slows down as it grows shows in the forward error,
// of the last fifth forecast from what came before; and as Drift, if it is every block that
// takes longer and not only the stalls.
//
// # The file
//
// A .cost file is one JSON document of at most a megabyte, with the unit in each name:
// blockreel_cost is the version; ledger, blocks, measured_blocks, runs, warmup_blocks,
// made_up_blocks, per_block and refused_share (of the transactions, null when it is not known)
// say what was measured, machine where and when (machine.go): a
// forecast is valid only there; merged_terms, held_out, drift and run_spread how good it is;
// in a merged term, count_by_term is how its count followed from the others, constant first;
// stages has the
// coefficients; residuals the strata of each class, a row of six stages each, in ns; and
// order_of_ranks_ppm, for each measured block in turn, the share of its class that
// took less. A ledger's costs can be edited by hand, "what if an fsync took half": Read takes what is
// consistent.
//
// Nothing here reads a clock or draws random numbers. Neighbours: package replay drives
// the ledgers that are fitted, and puts the forecasts into its pipeline.
package cost
