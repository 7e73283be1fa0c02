package fabriclog

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
)

// A banner is what a node prints of itself when it starts. Values of later starts
// replace earlier ones.
type banner struct {
	version    string
	buffer     string // peer.gossip.state.blockBufferSize as printed
	pool       string // peer.validatorPoolSize as printed
	database   string // ledger.state.stateDatabase
	configured bool   // the configuration was printed
}

// bannerLines are looked at after the first line of a banner: a peer's printed
// configuration has about 230.
const bannerLines = 1000

// field takes one line of a banner: leaf names of the configuration are unique, so
// how deep they are nested, and what a collector put before them, does not matter.
func (b *banner) field(line []byte) {
	colon := bytes.LastIndex(line, []byte(": "))
	if colon < 0 {
		if line = bytes.TrimRight(line, " \t"); !bytes.HasSuffix(line, []byte(":")) {
			return
		}
		colon = len(line) - 1
	}
	key := line[:colon]
	if i := bytes.LastIndexAny(key, " \t|"); i >= 0 {
		key = key[i+1:]
	}
	value := strings.Trim(string(line[colon+1:]), " \t\"'\r")
	if len(key) > 32 || len(value) > 64 {
		return
	}
	switch strings.ToLower(string(key)) {
	case "version":
		// The base images' versions that 1.4 prints have a longer name.
		if before := bytes.TrimRight(line[:colon-len(key)], " \t"); bytes.HasSuffix(before, []byte("Image")) {
			return
		}
		if v := strings.TrimPrefix(value, "v"); v != "" && unicode.IsDigit(rune(v[0])) {
			b.version = v
		}
	case "blockbuffersize":
		b.buffer = value
	case "validatorpoolsize":
		b.pool = value
	case "statedatabase":
		b.database = value
	}
}

// unescape undoes the escapes of a JSON or logfmt string, leniently.
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 >= len(b) {
			out = append(out, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
		case 'u':
			if i+4 < len(b) {
				if r, err := strconv.ParseUint(string(b[i+1:i+5]), 16, 16); err == nil {
					out = append(out, string(rune(r))...)
					i += 4
				}
			}
		default:
			out = append(out, b[i])
		}
	}
	return out
}

// unwrap returns the text of a docker json-file line, {"log":"TEXT\n",…}, and any
// other line as it is.
func unwrap(line []byte) []byte {
	rest, ok := bytes.CutPrefix(line, []byte(`{"log":"`))
	if !ok {
		return line
	}
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return bytes.TrimRight(unescape(rest[:i]), "\n")
		}
	}
	return line
}

// defaultBuffer is the N of a version whose configuration does not say: a constant
// 100 in 1.4.0, core.yaml's 100 in 2.0 and 2.1 and 20 from 2.2 on.
func defaultBuffer(version string) int {
	major, minor := majorMinor(version)
	if major < 2 || major == 2 && minor < 2 {
		return 100
	}
	return 20
}

// Preset names the pipeline preset for a version as Fabric prints it; empty for one that
// is not known.
func Preset(version string) string {
	switch major, _ := majorMinor(version); major {
	case 1:
		return "fabric-1.4"
	case 2:
		return "fabric-2.x"
	case 3:
		return "fabric-3.x"
	}
	return ""
}

func majorMinor(version string) (major, minor int) {
	a, rest, _ := strings.Cut(version, ".")
	b, _, _ := strings.Cut(rest, ".")
	major, _ = strconv.Atoi(a)
	minor, _ = strconv.Atoi(b)
	return major, minor
}
