// Package fabricnet records a live Fabric network over its own Deliver services.
//
// The way of a block:
//
//  1. Open connects to the orderer and the peers, and asks each of them for the height of
//     every channel: node.go, open.go. A refusal ends everything here, before there is a
//     trace.
//  2. Network.Run subscribes to the orderer, once a channel, and to each peer's events of
//     committed blocks, from the heights on: subscription.go. Older blocks, if they are
//     wanted, are read by subscriptions of their own, so that no new block waits for
//     them. A subscription that is cut goes on at the next number; what happened in between
//     has no times, and a note says so: outage.go. caughtup.go says when to end.
//  3. The arrival at this program is the block's time, from one monotonic clock for all
//     nodes: Offered is the arrival from the orderer, Committed that of the peer's event:
//     observe.go. A commit that is seen before its block shows that the block was offered
//     by then: order.go. Transactions, bytes and writes are counted in the orderer's block.
//     Beside them, samples show when each node was observed, how long the way to it and
//     back took (roundtrip.go), and what its metrics page has shown (metrics.go, package
//     scrape).
//  4. Times, and payloads if they are wanted, go through a recorder.Recorder: a slow disk
//     costs payloads before times.
//
// A block that was there before the recording has no time of its own. If the peer had
// yet to commit it, it counts as offered when the orderer reported its height: the heights
// are then right from the beginning, and delivery took at least what the trace says.
// traces.SettingBacklogBefore says which these are: they are no measure of a rate.
//
// The load on the network is one more subscriber a channel at the orderer, and one a
// channel at each peer, which is sent filtered blocks: ids and verdicts alone; as many
// again while older blocks are read; and one empty call every few seconds.
package fabricnet
