// Package traces holds recorded block streams: the trace file and its form in
// memory. A recording and the result of a replay are both traces.
//
// # In memory
//
// A Trace (trace.go) is a Header, a Timeline for every stream of the header
// (timeline.go), the samples of its series (series.go), the recorder's notes, and a Loss when its
// file was not whole. A Timeline has a column of values for each event.Kind, packed (packed.go) into
// segments of 1,024 values (segment.go). Windows and Cursors read them (windows.go), a ColumnBuilder
// makes them (columnbuilder.go). Cut (cut.go) makes a shorter trace.
//
// # In a file
//
// FORMAT.md specifies the file to the byte. From the outside to the inside:
//
//  1. file.go, read.go: ReadFile and WriteFile, Read and Write: whole traces. Read
//     assembles a trace from chunks in a builder.
//  2. writer.go, append.go: a Writer takes events one by one (Append; pending.go), timelines
//     whole (AppendTimeline), samples, notes and payloads, and makes chunks of them.
//  3. reader.go: a Reader gives back chunk by chunk (Next, Events, Payloads);
//     decode.go takes its bytes apart and checks them.
//  4. frame.go, header.go, index.go: what stands between the compressed parts.
//     seek.go reads only the chunks that a cut needs, payloadfile.go payloads by
//     channel and block number.
//  5. data.go, sample.go, note.go, payload.go: what a chunk holds.
//  6. column.go: one column: its spans (span.go), its predictor (predict.go), its
//     packed residuals (pack.go).
//
// verify.go checks all of a file. text.go and textread.go are its text form, JSON
// Lines. limits.go names the limits against which every length in a file is held
// before memory is taken, and errors.go the errors.
//
// # Invariants
//
//   - What a Writer has flushed is readable, whatever happens to the file behind it.
//   - Read of what Write wrote gives an equal trace, and Write of that the same bytes.
//   - No input makes a Reader panic or take memory without end; a small
//     file with large claims costs about a hundred megabytes at most.
//   - io.EOF comes from Reader.Next at the end of a whole trace only.
//
// # Use
//
// A Writer or Reader belongs to one goroutine at a time; a Trace may be read by many
// as long as none writes to it. This package imports only event of this module, starts
// no goroutine and reads no clock: the recorder decides when to Flush.
package traces
