// Package chart draws what package analysis computes. It is the only place that
// knows the plotting library.
//
// Every chart is a function from timelines or results to a *[Figure]: a title that
// says what is seen, with a number; a subtitle with the settings; a legend outside
// the data; and one or two panels. [Figure.Save] writes PNG at twice the logical
// resolution, SVG or PDF, by the file's extension.
//
//   - heights.go: [Heights]; gap.go: [GapBySetting], [GapByStream]
//   - depth.go: [BufferDepth]; observed.go: samples, and when nobody looked
//   - latency.go: [LatencyPercentiles], [LatencyParts]
//   - sweep.go: [SweepCurve]
//   - forecast.go: [PredictedVsMeasured]
//
// figure.go lays a page out, axis.go makes the ticks, style.go holds colours and
// fonts, marks.go what is drawn besides lines. Curves are downsampled to envelopes
// (analysis.Downsample), so that a stall of one block is seen at any scale.
//
// When a trace lacks a column that a chart is made of, the function returns an
// *analysis.MissingError that names it. A Figure is not changed by drawing it.
package chart
