package replay

import (
	"fmt"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/ledger"
)

// tellReport says what a ledger that was given real blocks has found in them, beside what a
// peer recorded there: what was compared, and what was not verified.
func (j *job) tellReport(spec string, r ledger.Report) {
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
	switch {
	case r.Compared+r.AdoptedPolicies+r.AdoptedPast+r.ComparedHashes == 0:
		fact("the payloads carry no verdicts of a peer (an orderer's copy has none): nothing to compare")
	case r.Different > 0:
		text := fmt.Sprintf("%s of %s validation codes are not the peer's", count(r.Different), count(r.Compared))
		if len(r.Differences) > 0 {
			text += ", the first is " + r.Differences[0].String()
		}
		warn("%s", text)
	case r.Compared > 0:
		fact("%s of %s validation codes as the peer's", count(r.Compared), count(r.Compared))
	}
	switch {
	case r.DifferentHashes > 0:
		warn("%s of %s commit hashes are not the peer's, the first is that of block %d: the ledger does not hold what the peer's does", count(r.DifferentHashes), count(r.ComparedHashes), r.FirstDifferent)
	case r.ComparedHashes > 0:
		fact("%s commit hashes equal to the peer's", count(r.ComparedHashes))
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
