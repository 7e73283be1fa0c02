// Package deliver speaks Fabric's Deliver services, from both ends: an orderer's
// /orderer.AtomicBroadcast/Deliver, and a peer's /protos.Deliver/Deliver and
// /protos.Deliver/DeliverFiltered.
//
// The client:
//
//  1. [Dial] connects to an [Endpoint] and says at once, as a [*ConnectError], what is
//     wrong with its address or certificates.
//  2. [Conn.Deliver] signs a [Seek] and opens a [Stream].
//  3. [Stream.Recv] gives one block after the other; io.EOF after the last that was asked
//     for; a [*StatusError] when the node refuses. [Permanent] distinguishes refusals, which
//     a person must correct, from failures that pass.
//  4. [Follow] reads a channel across connections: a [Follower] tries again, starts after
//     the last block, and marks the blocks that were made while the node was out of sight.
//
// The server:
//
//  1. [ServerOptions] and [Server.RegisterOrderer] or [Server.RegisterPeer] put a
//     [Server] on gRPC.
//  2. It checks each request in Fabric's order and answers with Fabric's statuses
//     (common/deliver/deliver.go: deliverBlocks): request.go.
//  3. It pulls blocks out of a [Ledger] and sends them. Nothing stands between
//     ledger and stream but HTTP/2's flow control: a reader that stops makes the Send block,
//     and [Hooks] report when.
//
// A block's bytes are copied once, out of gRPC's frames (Recv) and never on the way out:
// codec.go. Recv's bytes belong to the caller. The generated messages are used for requests,
// filtered blocks and nothing else.
//
// A Conn may be used by many goroutines, a Stream by one. Hooks are called from the
// stream's goroutine and delay it while they run.
package deliver
