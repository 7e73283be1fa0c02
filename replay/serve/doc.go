// Package serve is an orderer made of a trace: it offers the recorded blocks over
// Fabric's Deliver service at their recorded times, so that an unmodified Fabric peer
// pulls a recorded run as it was produced.
//
// The way through it:
//
//  1. New puts the trace's payloads into a temporary file (spool.go) and gives each block
//     the moment at which it is offered (schedule.go). All moments are real time since
//     the clock's start: speed is applied here, once.
//  2. Listen opens the address, and refuses one that others can reach without TLS.
//  3. Server.Serve starts the clock, at once or with the first reader, and answers
//     Deliver requests (internal/fabric/deliver). Every request has a reader of its own
//     (reader.go), which waits for the moment of its next block, or for a fault.
//
// Invariants:
//
//   - A block is never sent before its moment. Deadlines are absolute: a block that was
//     late delays no other.
//   - A reader gets the payloads' bytes as they stand in the trace.
//   - In memory are some 30 bytes a block, and one block for each reader. A reader that
//     stops reading holds up nobody else.
//
// The methods of a Server may be called from any goroutine. The package prints nothing;
// of internal/fabric it uses deliver and the view of a block.
package serve
