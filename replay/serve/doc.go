// Package serve is an orderer made of a trace: it offers the recorded blocks over
// Fabric's Deliver service at their recorded times, so that an unmodified Fabric peer
// pulls a recorded run as it was produced.
//
// The way through it:
//
//  1. New puts the trace's payloads into a temporary file (spool.go), checks that they are
//     a chain as a peer would have it, and gives each block the moment at which it is offered (schedule.go). All moments are real time since
//     the clock's start: speed is applied here, once.
//  2. Listen opens the address, and refuses one that others can reach without TLS.
//  3. Server.Serve starts the clock, at once or with the first reader, and answers
//     Deliver requests (internal/fabric/deliver). Every request has a reader of its own
//     (reader.go), which waits for the moment of its next block, or for a fault. Blocks
//     from before the recording, whose payload alone the trace has, are there from
//     the start; a clock that is held stands still until they have been sent.
//  4. With a Recording (record.go), each reader is a stream of a new trace (stream.go):
//     what was offered and what was sent to it. A follower (follow.go) subscribes to
//     the events of a peer that reads here and adds its commits. Server.SaveRecording
//     puts the streams together (finish.go), and adds what was offered and not read.
//
// Invariants:
//
//   - A block is never sent before its moment. Deadlines are absolute: a block that was
//     late delays no other. Waits end by driver.Alarm: Go's timers are late by up to a
//     millisecond.
//   - A reader gets the payloads' bytes as they stand in the trace.
//   - In memory are some 60 bytes a block, and one block for each reader; a recording has
//     its streams in memory once, when it is saved. A reader that stops reading holds
//     up nobody else.
//   - All times of a recording are of one clock: that of the schedule.
//
// The methods of a Server may be called from any goroutine, but for Serve, SaveRecording
// and Close, which come one after the other. The package prints nothing. Of
// internal/fabric it uses deliver, the view of a block, and the identity that asks peers.
package serve
