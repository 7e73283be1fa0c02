// Package network is a Fabric network in this process, so that there is something to
// record without one: an orderer that cuts blocks by an arrival profile, and peers that
// commit them to real ledgers. Every hop is gRPC with TLS on loopback, and any Fabric
// client can connect.
//
//		minter ──► orderer's file ──► Deliver ──► gRPC ──► peer's pipeline ──► peer's ledger
//		 (Load)      (chain)         (a loop a stream)      (driver.Live)      (replay/ledger)
//		                │                                                          │
//		                └──────────────────────► peer's event service ◄── height ──┘
//
//	 1. Open makes organizations, keys and genesis blocks, opens one ledger for each
//	    channel on each peer, and starts the nodes: their addresses, MSP and TLS
//	    directories are Nodes.
//	 2. Prepare connects the peers and lets the minters run ahead (mint.go), with blocks of one
//	    size or of many (shapes.go).
//	 3. Header describes the streams, for the trace that is to be recorded.
//	 4. Run lets the orderer's height grow when blocks are due (orderer.go) and drives the
//	    peers (driver.Live): what the peer does between its Recv and its committer is
//	    pipeline.Machine's, in real time; the rest is done, and takes what it takes. A
//	    peer reads its stream only when its receiver has room, so that a shut door fills
//	    HTTP/2's window and blocks the orderer's Send.
//	 5. Close stops the nodes and closes the ledgers.
//
// Blocks are on disk once, in the orderer's file, from before their time until Close: a
// backlog takes eight bytes a block in memory. Peers have what Fabric's peers have. A peer's
// event service sends those blocks with the verdicts and the commit hash of the peer's own
// ledger (verdicts.go).
//
// Offered is the instant at which the orderer's height grows; Sent is when gRPC has taken
// the block, at which it may be with the peer already. A stream that breaks is taken up
// again at the next block; blocks that were lost on the way are then sent twice, and the
// later instant counts.
//
// Times are those of one clock. Observers are called from the goroutines of the orderer's
// streams, of its channels and of the peers at once.
package network
