package fabriclog

import (
	"bytes"
	"crypto/sha256"

	"github.com/blockreel/blockreel/traces/event"
)

// A message is what a log line says about a block.
type message uint8

const (
	msgWriting      message = iota // orderer: Writing block [N] (Raft index: I) to ledger
	msgWrote                       // orderer: Wrote block [N]
	msgCreated                     // orderer: Created block [N], there are K blocks in flight
	msgDelivering                  // orderer: Delivering block [N] for (0x…) for ADDRESS
	msgAdding                      // peer: Adding payload to local buffer, blockNum = [N]
	msgBufferSize                  // peer: Blocks payloads buffer size for channel [C] is S blocks
	msgTransferring                // peer: Transferring block [N] with K transaction(s) to the ledger
	msgReceived                    // peer: Received block [N] from buffer
	msgValidated                   // peer: Validated block [N] in Xms
	msgCommitted                   // peer: Committed block [N] with K transaction(s) in Xms (…)
	msgPulling                     // peer: Pulling next blocks from ordering service … nextBlock=N
	numMessages
)

func (m message) fromOrderer() bool { return m <= msgDelivering }

// A sighting is a message read from a line.
type sighting struct {
	msg     message
	block   uint64
	channel []byte // aliases the line
	at      int64  // Unix ns
	// count is msgCommitted's number of transactions and msgBufferSize's of blocks.
	count int64
	// Times within the commit in ms, −1 when not told.
	validation, store, state int64
	// hash is the beginning of the commit hash as event.CommitHash has it, −1 when not told.
	hash int64
	// subscriber of msgDelivering: pointer and address; the orderer's address of
	// msgPulling. Aliases the line.
	subscriber []byte
}

// found is a message's place in its line.
type found struct {
	start int  // first byte of the message, its [channel] included
	torn  bool // the message is cut short: nothing of it is to be used
	// doubtful: the line ends, without a newline, with the channel's name, which
	// may be longer. It is believed if the channel is known.
	doubtful bool
}

var (
	needle      = []byte("block")
	inMillis    = []byte(" in ")
	transaction = []byte(" transaction(s)")
)

// match reads the message around line[i:], where "block" stands, into m. Neither the
// line's layout nor its module name is looked at. whole tells whether a newline
// ended the line.
func match(line []byte, i int, whole bool, m *sighting) (f found, ok bool) {
	tail := line[i+len(needle):]
	if len(tail) == 0 {
		return found{}, false
	}
	switch tail[0] {
	case ' ':
		return matchVerb(line, i, whole, m)
	case 'N':
		return matchAdding(line, i, whole, m)
	case 's':
		return matchBlocks(line, i, whole, m)
	}
	return found{}, false
}

// matchVerb reads "VERB block [N] …", or 1.4's "VERB block N".
func matchVerb(line []byte, i int, whole bool, m *sighting) (found, bool) {
	verb, start, ok := verbBefore(line[:i])
	if !ok {
		return found{}, false
	}
	num := i + len(needle) + 1
	n, end, bracket, ok := number(line, num)
	if !ok {
		return found{start: start, torn: true}, end >= len(line)
	}
	rest := line[end:]
	m.msg, m.block, m.count, m.validation, m.store, m.state, m.hash = verb, n, -1, -1, -1, -1, -1
	fits, cut := follows(verb, rest)
	switch {
	case !fits:
		return found{start: start, torn: true}, cut
	case verb == msgCommitted && !committed(rest, m):
		// gossip.state repeats the line without " in Xms".
		return found{start: start, torn: true}, !bytes.Contains(rest, transaction)
	case verb == msgDelivering:
		if m.subscriber = subscriber(rest); m.subscriber == nil {
			return found{}, false
		}
	case !bracket && len(rest) == 0 && !whole:
		return found{start: start, torn: true}, true // the number may be longer
	}
	return place(line, start, end, whole, m)
}

// following is what stands behind the block's number, by version. "Wrote block"
// and 1.4's "Created block" end with it.
var following = [numMessages][]string{
	msgWriting:      {" (Raft index", " to ledger", " with ", " to the ledger"},
	msgDelivering:   {" for ("},
	msgTransferring: {" with "},
	msgReceived:     {" from buffer"},
	msgValidated:    {" in "},
	msgCommitted:    {" with "},
}

// follows reports whether rest begins with what follows the number in a message,
// and if not, whether that is because rest is cut short.
func follows(m message, rest []byte) (fits, cut bool) {
	if following[m] == nil {
		return true, false
	}
	for _, text := range following[m] {
		if len(rest) >= len(text) && string(rest[:len(text)]) == text {
			return true, false
		}
		if len(rest) < len(text) && string(rest) == text[:len(rest)] {
			cut = true
		}
	}
	return false, cut
}

// verbBefore recognizes the word before " block" and returns where it starts.
func verbBefore(head []byte) (message, int, bool) {
	n := len(head)
	if n < 6 || head[n-1] != ' ' {
		return 0, 0, false
	}
	has := func(verb string) bool { return n >= len(verb) && string(head[n-len(verb):]) == verb }
	switch head[n-2] {
	case 'd':
		switch {
		case has("Committed "):
			return msgCommitted, n - len("Committed "), true
		case has("Received "):
			return msgReceived, n - len("Received "), true
		case has("Validated "):
			return msgValidated, n - len("Validated "), true
		case has("Created "):
			return msgCreated, n - len("Created "), true
		}
	case 'g':
		switch {
		case has("Writing "):
			return msgWriting, n - len("Writing "), true
		case has("Transferring "):
			return msgTransferring, n - len("Transferring "), true
		case has("Delivering "):
			return msgDelivering, n - len("Delivering "), true
		case has("Delivering proposal, writing "): // SmartBFT, 3.x
			return msgWriting, n - len("Delivering proposal, writing "), true
		}
	case 'e':
		if has("Wrote ") {
			return msgWrote, n - len("Wrote "), true
		}
	}
	return 0, 0, false
}

// number reads "[N]" or "N" at line[i]. A number that the line's end may have cut
// short is not one.
func number(line []byte, i int) (n uint64, end int, bracket, ok bool) {
	if i < len(line) && line[i] == '[' {
		bracket = true
		i++
	}
	start := i
	for ; i < len(line) && isDigit(line[i]); i++ {
		d := uint64(line[i] - '0')
		if n > (1<<64-1-d)/10 {
			return 0, i, bracket, false
		}
		n = n*10 + d
	}
	if i == start {
		return 0, i, bracket, false
	}
	if bracket {
		if i >= len(line) || line[i] != ']' {
			return 0, i, bracket, false
		}
		i++
	}
	return n, i, bracket, true
}

// committed reads " with K transaction(s) in Xms (state_validation=Xms
// block_and_pvtdata_commit=Xms state_commit=Xms) commitHash=[HEX]"; 1.4.0 ends with the times.
func committed(rest []byte, m *sighting) bool {
	k, i, _, ok := number(rest, len(" with "))
	if !ok || k > 1<<32 || !bytes.HasPrefix(rest[i:], transaction) {
		return false
	}
	rest = rest[i+len(transaction):]
	if !bytes.HasPrefix(rest, inMillis) {
		return false
	}
	m.count = int64(k)
	// The names differ between versions (block_commit in 1.4.0), the order does not.
	open := bytes.IndexByte(rest[:min(len(rest), 32)], '(')
	if open < 0 {
		return true
	}
	rest = rest[open:]
	for _, v := range [...]*int64{&m.validation, &m.store, &m.state} {
		eq := bytes.IndexByte(rest, '=')
		if eq < 0 {
			break
		}
		ms, i, _, ok := number(rest, eq+1)
		if !ok || ms > 1<<40 || !bytes.HasPrefix(rest[i:], []byte("ms")) {
			break
		}
		*v = int64(ms)
		rest = rest[i:]
	}
	m.hash = commitHash(rest)
	return true
}

// commitHash reads the beginning of the hash in "ms) commitHash=[HEX]", −1 when the
// hash is not all there: another line may be glued to what is left of it.
func commitHash(rest []byte) int64 {
	const before, end = "ms) commitHash=[", len("ms) commitHash=[") + 2*sha256.Size
	if len(rest) <= end || string(rest[:len(before)]) != before || rest[end] != ']' {
		return -1
	}
	n := int64(0)
	for _, c := range rest[len(before) : len(before)+2*event.CommitHashBytes] {
		switch {
		case isDigit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			return -1
		}
		n = n<<4 | int64(c)
	}
	return n
}

// subscriber returns "(0x…) for ADDRESS" of " for (0x…) for ADDRESS".
func subscriber(rest []byte) []byte {
	rest = rest[len(" for "):]
	end := bytes.Index(rest, []byte(") for "))
	if end < 0 || end > 64 {
		return nil
	}
	end += len(") for ")
	address := word(rest[end:])
	if len(address) == 0 {
		return nil
	}
	return rest[:end+len(address)]
}

// word returns the start of b up to a space or the end of a quoted string.
func word(b []byte) []byte {
	n := 0
	for n < len(b) && n < 256 && b[n] > ' ' && b[n] != '"' && b[n] != '\\' && b[n] != ',' && b[n] != '}' {
		n++
	}
	return b[:n]
}

// matchAdding reads "Adding payload to local buffer, blockNum = [N]".
func matchAdding(line []byte, i int, whole bool, m *sighting) (found, bool) {
	const before, after = "Adding payload to local buffer, ", "Num = "
	start := i - len(before)
	if start < 0 || string(line[start:i]) != before {
		return found{}, false
	}
	num := i + len(needle)
	if !bytes.HasPrefix(line[num:], []byte(after)) {
		return found{}, false
	}
	n, end, _, ok := number(line, num+len(after))
	if !ok {
		return found{start: start, torn: true}, end >= len(line)
	}
	m.msg, m.block = msgAdding, n
	return place(line, start, end, whole, m)
}

// matchBlocks reads "Blocks payloads buffer size for channel [C] is S blocks" and
// "Pulling next blocks from ordering service channel=C … nextBlock=N".
func matchBlocks(line []byte, i int, whole bool, m *sighting) (found, bool) {
	const held, pulling = "Blocks payloads buffer size for channel [", "Pulling next "
	head := line[:i]
	if bytes.HasSuffix(head, []byte(pulling)) {
		v, ok := fieldValue(line[i:], "nextBlock")
		if !ok {
			return found{}, false
		}
		n, _, _, ok := number(v, 0)
		if !ok {
			return found{}, false
		}
		m.msg, m.block, m.subscriber = msgPulling, n, nil
		if v, ok := fieldValue(line[i:], "orderer-address"); ok {
			m.subscriber = word(v)
		}
		start := i - len(pulling)
		return place(line, start, i, whole, m)
	}
	start := bytes.LastIndex(head, []byte(held))
	if start < 0 {
		return found{}, false
	}
	name := head[start+len(held):]
	end := bytes.IndexByte(name, ']')
	if end < 0 || !bytes.HasPrefix(name[end:], []byte("] is ")) {
		return found{}, false
	}
	size, _, _, ok := number(name, end+len("] is "))
	if !ok || size > 1<<32 {
		return found{}, false
	}
	m.msg, m.block, m.channel, m.count = msgBufferSize, 0, name[:end], int64(size)
	return found{start: start}, len(m.channel) > 0
}

// place finds the message's channel: the field channel=C, or the [C] or
// [channel: C] before the message, which then starts there. A layout may end with
// [module], so where a version has the field it goes before the bracket.
func place(line []byte, start, end int, whole bool, m *sighting) (found, bool) {
	f := found{start: start}
	m.channel = nil
	either := m.msg == msgReceived || m.msg == msgAdding
	bracketed := m.msg >= msgTransferring || m.msg == msgWrote || m.msg == msgDelivering
	if !bracketed || either {
		m.channel = channelField(line, end)
	}
	if m.channel == nil && (bracketed || either) && start >= 3 && line[start-1] == ' ' && line[start-2] == ']' {
		if open := bytes.LastIndexByte(line[:start-2], '['); open >= 0 && !isLogger(line[open+1:start-2]) {
			m.channel = bytes.TrimPrefix(line[open+1:start-2], []byte("channel: "))
			f.start = open
		}
	}
	if m.channel == nil && bracketed {
		m.channel = channelField(line, end)
	}
	if !whole {
		f.torn = len(m.channel) == 0 || len(m.channel) > maxChannelName
		f.doubtful = !f.torn && bytes.HasSuffix(line[end:], m.channel)
		return f, true
	}
	return f, len(m.channel) > 0 && len(m.channel) <= maxChannelName
}

// isLogger reports whether name is that of a logger whose messages have their
// channel in a field: in a layout that ends with [module] it stands where other
// versions put the channel.
func isLogger(name []byte) bool {
	switch string(name) {
	case "gossip.privdata", "peer.blocksprovider", "blocksProvider":
		return true
	}
	return false
}

// maxChannelName is Fabric's own limit (common/configtx: MaxLength).
const maxChannelName = 249

// channelField returns the value of the field "channel", which follows the message
// unless a collector has put a JSON line's fields into another order.
func channelField(line []byte, end int) []byte {
	if v := channelIn(line[end:]); v != nil {
		return v
	}
	return channelIn(line[:end])
}

func channelIn(b []byte) []byte {
	v, ok := fieldValue(b, "channel")
	if !ok {
		return nil
	}
	n := 0
	for n < len(v) && (v[n] >= 'a' && v[n] <= 'z' || isDigit(v[n]) || v[n] == '.' || v[n] == '-' || v[n] >= 'A' && v[n] <= 'Z' || v[n] == '_') {
		n++
	}
	if n == 0 {
		return nil
	}
	return v[:n]
}
