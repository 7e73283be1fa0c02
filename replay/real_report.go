package replay

import (
	"fmt"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces/event"
)

// logHashes are the commit hashes that the peer's log tells, held against those that a ledger
// has computed of blocks that carry none, as an orderer's copies do. Each is made with the one
// before: from the first that is not the peer's on, none is.
type logHashes struct {
	equal     int64
	different bool
	first     event.BlockNum // the first that is different
}

// compare holds the hash of the block that f has committed last against the trace's.
func (h *logHashes) compare(f *fed, number event.BlockNum) {
	told := f.job.model.Measured.Value(event.CommitHash, int(number-f.job.model.First))
	l, ok := f.committer.(interface{ CommitHash() ([32]byte, bool) })
	if !ok || told == event.Missing || h.different {
		return
	}
	computed, ok := l.CommitHash()
	if !ok {
		return
	}
	begins := int64(0)
	for _, x := range computed[:event.CommitHashBytes] {
		begins = begins<<8 | int64(x)
	}
	if begins == told {
		h.equal++
		return
	}
	h.different, h.first = true, number
}

// tellReport says what a ledger that was given real blocks has found in them, beside what a
// peer recorded there and its log has told: what was compared, and what was not verified.
func (j *job) tellReport(spec string, r ledger.Report, log logHashes) {
	if r.Blocks == r.MadeUp { // there was nothing to find
		return
	}
	count := analysis.FormatCount
	fact := func(format string, args ...any) {
		j.facts = append(j.facts, spec+": "+fmt.Sprintf(format, args...))
	}
	warn := func(format string, args ...any) {
		j.warnings = append(j.warnings, spec+": "+fmt.Sprintf(format, args...))
	}
	bare := r.Compared+r.AdoptedPolicies+r.AdoptedPast+r.ComparedHashes == 0
	switch {
	case bare && log.equal == 0 && !log.different:
		j.facts = append(j.facts, "the payloads carry no verdicts of a peer (an orderer's copy has none): nothing to compare")
	case r.Different > 0:
		text := fmt.Sprintf("%s of %s validation codes are not the peer's", count(r.Different), count(r.Compared))
		if len(r.Differences) > 0 {
			text += ", the first is " + r.Differences[0].String()
		}
		warn("%s", text)
	case r.Compared > 0:
		fact("%s of %s validation codes as the peer's", count(r.Compared), count(r.Compared))
	}
	if bare && r.Valid() < r.Transactions {
		fact("%s of %s transactions were found invalid here, and not written", count(r.Transactions-r.Valid()), count(r.Transactions))
	}
	switch {
	case r.DifferentHashes > 0:
		warn("%s of %s commit hashes are not the peer's, the first is that of block %d: the ledger does not hold what the peer's does", count(r.DifferentHashes), count(r.ComparedHashes), r.FirstDifferent)
	case r.ComparedHashes > 0:
		fact("%s commit hashes equal to the peer's", count(r.ComparedHashes))
	}
	switch {
	case log.different:
		text := fmt.Sprintf("the commit hash of block %d, and so each behind it, is not the one that the peer's log tells (%s before it are): the ledger does not hold what the peer's does",
			log.first, count(log.equal))
		if bare {
			text += "; the payloads carry no verdicts of a peer, so that transactions which it refused by a policy or for membership, which are not evaluated here, count as valid: attach the peer's own blocks"
		}
		warn("%s", text)
	case log.equal > 0:
		fact("%s commit hashes begin as the peer's log tells them: the verdicts and writes are the peer's, though the payloads of these blocks do not carry them", count(log.equal))
	}
	if r.AdoptedPolicies > 0 {
		fact("%s more validation codes taken over from the peer, since they follow from policies or membership, which are not evaluated: nothing verified for these", count(r.AdoptedPolicies))
	}
	if r.AdoptedPast > 0 {
		fact("%s more validation codes taken over from the peer, since they follow from what is older than the ledger's first block: nothing verified for these", count(r.AdoptedPast))
	}
	if r.Believed > 0 {
		fact("%s reads and range queries believed, since they may hang on what is older than the ledger's first block", count(r.Believed))
	}
	if r.MadeUp > 0 {
		warn("%s of %s were made up", count(r.MadeUp), analysis.FormatBlocks(r.Blocks))
	}
}
