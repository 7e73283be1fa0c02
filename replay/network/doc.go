// Package network is a pipeline that runs live in this process, so that there is
// something to record without a Fabric network: an orderer that cuts blocks by an
// arrival profile, and peers that commit them to real ledgers.
//
//		Load ──► orderer of a channel ──┬──► peer's pipeline ──► peer's ledger
//		(arrivals.go)                   └──► …                   (replay/ledger)
//
//	 1. Open opens one ledger for each channel on each peer.
//	 2. Header describes the streams, for the trace that is to be recorded.
//	 3. Run drives them in real time (driver.Wall): the way from the orderer's ledger to
//	    the committer is pipeline.Machine's, with the times of Config.Pipeline; validation
//	    and commit are done, and take what they take.
//	 4. Close closes the ledgers.
//
// The peers of a channel see the same blocks offered at the same instants: each stream
// has a generator of its own with the channel's seed, so that nothing is shared and no
// block exists before it is due. An orderer that is far ahead of a peer costs the
// hundred bytes a block that the driver keeps; a block's contents are made up only when
// the peer validates it.
package network
