package fabriclog

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// sight reads one line and returns what was seen in it, as text.
func sight(line string, whole bool) string {
	var out []string
	r := reader{report: new(FileReport)}
	var m sighting
	for pos := 0; ; {
		i := strings.Index(line[pos:], "block")
		if i < 0 {
			break
		}
		i += pos
		pos = i + len("block")
		f, ok := match([]byte(line), i, whole, &m)
		if !ok {
			continue
		}
		if f.torn || f.doubtful && string(m.channel) != "ch1" {
			out = append(out, "torn")
			continue
		}
		at := "undated"
		if st, ok := r.stamps.find([]byte(line), f.start); ok {
			at = time.Unix(0, st.ns).UTC().Format("01-02T15:04:05.999999999")
		}
		s := fmt.Sprintf("%s %s %d %s", [numMessages]string{
			"writing", "wrote", "created", "delivering", "adding", "size", "transferring", "received", "validated", "committed", "pulling",
		}[m.msg], m.channel, m.block, at)
		switch m.msg {
		case msgCommitted:
			s += fmt.Sprintf(" %d %d %d %d", m.count, m.validation, m.store, m.state)
			if m.hash >= 0 {
				s += fmt.Sprintf(" %06x", m.hash)
			}
		case msgBufferSize:
			s += fmt.Sprintf(" holds %d", m.count)
		case msgDelivering, msgPulling:
			s += " " + string(m.subscriber)
		}
		out = append(out, s)
	}
	return strings.Join(out, "; ")
}

func TestMessages(t *testing.T) {
	const hash = " commitHash=[f164b931f144443d679e2af3460974cf35292717af6add53a29d74c89d4e9d08]"
	for _, c := range []struct{ name, line, want string }{
		// Orderers.
		{"2.5 created", "\x1b[34m2026-11-22 09:56:30.630 UTC 003d INFO\x1b[0m [orderer.consensus.etcdraft] \x1b[34;1mpropose\x1b[0m -> Created block [4], there are 0 blocks in flight channel=ch1 node=1",
			"created ch1 4 11-22T09:56:30.63"},
		{"2.5 writing", "\x1b[34m2026-11-22 09:56:30.638 UTC 0042 INFO\x1b[0m [orderer.consensus.etcdraft] \x1b[34;1mwriteBlock\x1b[0m -> Writing block [4] (Raft index: 7) to ledger channel=ch1 node=1",
			"writing ch1 4 11-22T09:56:30.638"},
		{"3.1 SmartBFT", "2026-11-22 09:56:30.638 UTC 0042 INFO [orderer.consensus.smartbft] Deliver -> Delivering proposal, writing block 41 with 10 transactions and metadata of total size 99 with signatures from [1 2 3] to the ledger, node id 1 channel=ch1",
			"writing ch1 41 11-22T09:56:30.638"},
		{"2.5 wrote", "2026-11-22 09:52:06.852829 UTC 1a06 DEBU [orderer.commmon.multichannel] commitBlock -> [channel: ch1] Wrote block [1000]",
			"wrote ch1 1000 11-22T09:52:06.852829"},
		{"3.x wrote", "2026-11-22 09:52:06.852829 UTC 1a06 DEBU [orderer.common.multichannel] commitBlock -> [channel: my-channel.x] Wrote block [1000]",
			"wrote my-channel.x 1000 11-22T09:52:06.852829"},
		{"1.4 wrote", "\x1b[36m2026-11-22 09:52:06.852 UTC [orderer.commmon.multichannel] commitBlock -> DEBU 1a06\x1b[0m [channel: ch1] Wrote block 12",
			"wrote ch1 12 11-22T09:52:06.852"},
		{"1.4 etcdraft created", "\x1b[36m2026-11-22 09:52:06.852 UTC [orderer.consensus.etcdraft] createNextBlock -> DEBU 1a06\x1b[0m Created block 12 channel=ch1 node=1",
			"created ch1 12 11-22T09:52:06.852"},
		{"delivering", "2026-11-22 09:52:06.855590 UTC 1a08 DEBU [common.deliver] deliverBlocks -> [channel: ch1] Delivering block [1000] for (0x3149bafcc500) for 127.0.0.1:54382",
			"delivering ch1 1000 11-22T09:52:06.85559 (0x3149bafcc500) for 127.0.0.1:54382"},
		// Peers.
		{"2.5 received", "\x1b[34m2026-11-22 09:56:30.643 UTC 0034 INFO\x1b[0m [gossip.privdata] \x1b[34;1mStoreBlock\x1b[0m -> Received block [4] from buffer channel=ch1",
			"received ch1 4 11-22T09:56:30.643"},
		{"1.4 received", "\x1b[34m2026-11-22 10:32:14.551 UTC [gossip.privdata] StoreBlock -> INFO 7056\x1b[0m [ch1] Received block [1000] from buffer",
			"received ch1 1000 11-22T10:32:14.551"},
		{"module right before the message", "2026-11-22 10:32:14.551 UTC [gossip.privdata] Received block [1000] from buffer channel=ch1",
			"received ch1 1000 11-22T10:32:14.551"},
		{"validated", "2026-11-22 10:32:14 UTC [committer.txvalidator] Validate -> INFO 706f [ch1] Validated block [1000] in 0ms",
			"validated ch1 1000 11-22T10:32:14"},
		{"2.5 committed", "2026-11-22 09:56:30.654 UTC 0036 INFO [kvledger] commit -> [ch1] Committed block [4] with 10 transaction(s) in 6ms (state_validation=0ms block_and_pvtdata_commit=4ms state_commit=1ms)" + hash,
			"committed ch1 4 11-22T09:56:30.654 10 0 4 1 f164b9"},
		{"1.4.0 committed", "2026-11-22 09:56:30.654 UTC [kvledger] CommitWithPvtData -> INFO 7d [ch1] Committed block [4] with 1 transaction(s) in 62ms (state_validation=1ms block_commit=44ms state_commit=16ms)",
			"committed ch1 4 11-22T09:56:30.654 1 1 44 16"},
		{"a hash that is none", "2026-11-22 09:56:30.654 UTC [kvledger] [ch1] Committed block [4] with 1 transaction(s) in 6ms (state_validation=0ms block_and_pvtdata_commit=4ms state_commit=1ms) commitHash=[]",
			"committed ch1 4 11-22T09:56:30.654 1 0 4 1"},
		{"committed by gossip.state", "2026-11-22 10:32:14.554952 UTC [gossip.state] commitBlock -> DEBU 707e [ch1] Committed block [1000] with 1 transaction(s)", ""},
		{"transferring", "2026-11-22 09:52:12.987475 UTC 1b0ab DEBU [gossip.state] deliverPayloads -> [ch1] Transferring block [1000] with 10 transaction(s) to the ledger",
			"transferring ch1 1000 11-22T09:52:12.987475"},
		{"2.5 intake", "2026-11-22 09:52:12.600811 UTC 1a0b8 DEBU [peer.blocksprovider] processMsg -> Adding payload to local buffer, blockNum = [1000] channel=ch1",
			"adding ch1 1000 11-22T09:52:12.600811"},
		{"1.4 intake", "2026-11-22 10:32:13.931124 UTC [blocksProvider] DeliverBlocks -> DEBU 5aba [ch1] Adding payload to local buffer, blockNum = [1000]",
			"adding ch1 1000 11-22T10:32:13.931124"},
		{"buffer size", "2026-11-22 10:32:11.372608 UTC [gossip.state] addPayload -> DEBU 06b Blocks payloads buffer size for channel [ch1] is 1 blocks",
			"size ch1 0 11-22T10:32:11.372608 holds 1"},
		{"pulling", "2026-11-22 09:56:28.971 UTC 0027 INFO [peer.blocksprovider] DeliverBlocks -> Pulling next blocks from ordering service channel=ch1 orderer-address=127.0.0.1:7050 nextBlock=4",
			"pulling ch1 4 11-22T09:56:28.971 127.0.0.1:7050"},
		// Lines that resemble them.
		{"private data store", "2026-11-22 09:52:12.991799 UTC 1b111 DEBU [kvledger] commitToPvtAndBlockStore -> Writing block [1000] to pvt data store", ""},
		{"to storage", "2026-11-22 10:32:14.552096 UTC [kvledger] CommitWithPvtData -> DEBU 7078 [ch1] Committing block [1000] to storage", ""},
		{"lost blocks", "2026-11-22 10:32:14.552 UTC [kvledger] recoverDBs -> INFO 7078 Recommitting lost blocks - [7]", ""},
		// Formats.
		{"zap JSON", `{"level":"info","ts":1795341681.721395,"name":"orderer.consensus.etcdraft","caller":"etcdraft/chain.go:894","msg":"Writing block [4] (Raft index: 7) to ledger","channel":"ch1","node":1}`,
			"writing ch1 4 11-22T10:01:21.721395"},
		{"JSON of a whole second", `{"level":"info","ts":1795341681,"msg":"Writing block [4] (Raft index: 7) to ledger","channel":"ch1"}`,
			"writing ch1 4 11-22T10:01:21"},
		{"JSON with exponent", `{"ts":1.795341681721395e+09,"msg":"[ch1] Validated block [9] in 1ms"}`,
			"validated ch1 9 11-22T10:01:21.721395"},
		{"JSON microseconds", `{"t":1795341681721395,"msg":"[ch1] Validated block [9] in 1ms"}`,
			"validated ch1 9 11-22T10:01:21.721395"},
		{"logfmt", `ts=1795341681.7320516 level=info name=gossip.privdata caller=privdata/coordinator.go:160 msg="Received block [4] from buffer" channel=ch1`,
			"received ch1 4 11-22T10:01:21.732052"},
		{"offset", "2026-11-22T10:56:30.643+01:00 Received block [4] from buffer channel=ch1", "received ch1 4 11-22T09:56:30.643"},
		{"negative offset", "2026-11-22 04:26:30.643 -0530 Received block [4] from buffer channel=ch1", "received ch1 4 11-22T09:56:30.643"},
		{"time of day only", "09:56:30.643 [gossip.privdata] Received block [4] from buffer channel=ch1", "received ch1 4 undated"},
		{"collector's date for it", "2026-11-22T09:56:31.5Z stdout F 09:56:30.643 [gossip.privdata] Received block [4] from buffer channel=ch1", "received ch1 4 11-22T09:56:31.5"},
		// Damage.
		{"glued", "2026-11-22 09:56:30.643 UTC [gossip.privdata] Received block [4] from bu2026-11-22 09:57:00.100 UTC [committer.txvalidator] [ch1] Validated block [5] in 2ms",
			"validated ch1 5 11-22T09:57:00.1"},
		{"glued within the hash", "2026-11-22 09:56:30.654 UTC [kvledger] [ch1] Committed block [4] with 1 transaction(s) in 6ms (state_validation=0ms block_and_pvtdata_commit=4ms state_commit=1ms) commitHash=[f12026-11-22 09:57:00.100 UTC [committer.txvalidator] [ch1] Validated block [5] in 2ms",
			"committed ch1 4 11-22T09:56:30.654 1 0 4 1; validated ch1 5 11-22T09:57:00.1"},
		{"cut in the middle of a log", "2026-11-22 09:56:30.643 UTC [gossip.privdata] Received block [4] from b", "torn"},
		{"cut in the number", "2026-11-22 09:56:30.643 UTC [gossip.privdata] [ch1] Validated block [4", "torn"},
		{"huge number", "2026-11-22 09:56:30.643 UTC [x] [ch1] Validated block [99999999999999999999999] in 2ms", ""},
		{"no channel", "2026-11-22 09:56:30.643 UTC x Received block [4] from buffer", ""},
		{"no number", "2026-11-22 09:56:30.643 UTC [ch1] Validated block [] in 2ms", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := sight(c.line, true); got != c.want {
				t.Errorf("%s\n got %q\nwant %q", c.line, got, c.want)
			}
			if got := sight(strings.TrimSuffix(c.line, hash), false); c.want != "" && got != strings.TrimSuffix(c.want, " f164b9") && !strings.Contains(c.want, "wrote ch1 12") && !strings.Contains(c.want, "created ch1 12") {
				t.Errorf("without a newline: %s\n got %q\nwant %q", c.line, got, c.want)
			}
		})
	}
}

// TestTorn cuts a line at every byte: what is left gives the whole message, less its
// stage times, or nothing. It never gives another number.
func TestTorn(t *testing.T) {
	for _, line := range []string{
		"2026-11-22 09:56:30.654 UTC [kvledger] [ch1] Committed block [1234] with 10 transaction(s) in 6ms (state_validation=0ms block_and_pvtdata_commit=4ms state_commit=1ms) commitHash=[00ff10" + strings.Repeat("9d", 29) + "]",
		"2026-11-22 09:56:30.654 UTC [gossip.privdata] [ch1] Received block [1234] from buffer",
		"2026-11-22 09:56:30.654 UTC [m] [channel: ch1] Wrote block 1234",
		"2026-11-22 09:56:30.654 UTC [m] [channel: ch1] Wrote block [1234]",
		"2026-11-22 09:56:30.654 UTC [m] Created block [1234], there are 0 blocks in flight channel=ch1 node=1",
		"2026-11-22 09:56:30.654 UTC [m] [ch1] Adding payload to local buffer, blockNum = [1234]",
	} {
		torn := 0
		for n := range len(line) {
			got := sight(line[:n], false)
			if f := strings.Fields(got); len(f) > 8 && f[8] != "00ff10" {
				t.Errorf("%q gives the hash %s", line[:n], f[8])
			}
			if strings.Contains(got, "torn") {
				torn++
			} else if got != "" && (!strings.Contains(got, " ch1 1234 11-22T09:56:30.654")) {
				t.Errorf("%q gives %q", line[:n], got)
			}
		}
		if torn == 0 && !strings.Contains(line, "Wrote") {
			t.Errorf("no cut of %q counts as torn", line)
		}
	}
}
