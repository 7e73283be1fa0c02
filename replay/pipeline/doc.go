// Package pipeline is the orderer–buffer–committer core: what happens to the blocks
// of one stream between the orderer's ledger and the peer's, to the nanosecond.
//
// It says so twice. Machine is a state machine that takes inputs as they come, for the
// embedded network and replays in real time. Solver and Sweep are the same rules as a
// recurrence over block numbers, for streams of any length whose services are known: they
// go from window to window. A fuzz test holds all three equal.
//
// A Policy is the rule by which the buffer admits blocks; policy.go has all of them.
//
// # The way of block i
//
//  1. The orderer sends in order, one block at a time. The send starts when block i
//     is offered, block i−1 is sent, and the window admits it: the bytes that are
//     sent and not yet received plus those of block i are at most Link.Window, or
//     nothing is in flight. It is Sent after Link.transmission.
//  2. It arrives Link.Latency (and its own Transit) later; a stream keeps its order.
//  3. It is Received when the receiver has room: with Hand = 0 (Fabric 1.4) when
//     block i−1 is enqueued, with Hand = 1 (2.x, 3.x) when the intake of block i−1
//     has begun.
//  4. Intake (verify, marshal) is serial: it begins when block i is received and
//     block i−1 has left the door. After Intake.Cost the block is AtDoor.
//  5. The door is looked at on arrival and then every Policy.Retry; at a look it opens
//     when the buffer holds at most Policy.Threshold blocks. The block is Enqueued.
//  6. The committer pops the next number: at once when it becomes ready and the block
//     is there, Config.Wake after the block was enqueued when the committer slept.
//     It is Dequeued.
//  7. The driver validates and commits it, and tells the machine when the committer is
//     Ready for the next block.
//
// Steps 3 to 6 are facts of Fabric: gossip/state/state.go (addPayload, deliverPayloads),
// gossip/state/payloads_buffer.go, internal/pkg/peer/blocksprovider (2.x),
// common/deliverclient/blocksprovider (3.x), core/deliverservice/blocksprovider (1.4).
//
// # Events of one instant
//
// come in this order, again and again until nothing more is due: the committer's
// completions (inputs of the driver), its pop, the look at the door, the beginning
// of an intake, the receipt of a block, the end of a send, the beginning of a send.
// So a block popped at t makes room for a look at t, and a block enqueued at the t
// at which the committer becomes ready finds the committer asleep.
//
// # Purity
//
// Nothing here reads a clock, starts a goroutine, does I/O, draws random numbers or
// ranges over a map. A Machine belongs to one goroutine. In a steady state neither it
// nor a Solver nor a Sweep allocates.
//
// What a Machine holds is bounded by Link.Window (blocks in flight) and by 2N + 1
// (runs of numbers in the buffer). The orderer's backlog stays with the driver, which
// is asked for one block at a time (Machine.Wants), as Fabric's cursor is.
//
// # Invariants
//
//   - next − 1 is the last number popped; the buffer holds no number below next.
//   - At most one block each is with the sender, in the hand, in the intake or at the
//     door, and with the committer.
//   - The buffer holds at most Policy.Capacity blocks.
package pipeline
