package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces/event"
)

// An answer is what a ledger says; it is also the JSON of it.
type answer interface{ print(w io.Writer) error }

type question func(context.Context, *ledger.Ledger) (answer, error)

// questions are what a ledger is asked, with what follows each.
var questions = map[string][]string{
	"height": nil, "block": {"NUMBER|HASH"}, "tx": {"ID"}, "state": {"NAMESPACE", "KEY"}, "history": {"NAMESPACE", "KEY"},
}

const allQuestions = "height, block NUMBER|HASH, tx ID, state NAMESPACE KEY or history NAMESPACE KEY"

// ledgerQuestion reads the command line: what to ask.
func ledgerQuestion(c *cobra.Command, args []string) (question, error) {
	if len(args) == 0 {
		return nil, usagef(c, "what of the ledger? Ask for %s", allQuestions)
	}
	what, args := args[0], args[1:]
	operands, known := questions[what]
	switch {
	case !known && isDirectory(what):
		return nil, usagef(c, "give the ledger's directory with --dir %s, and ask for %s", what, allQuestions)
	case !known:
		return nil, usagef(c, "%q is not in a ledger: ask for %s", what, allQuestions)
	case len(args) != len(operands):
		return nil, usagef(c, "ask as in: %s", strings.Join(append([]string{what}, operands...), " "))
	}
	switch what {
	case "height":
		return func(_ context.Context, l *ledger.Ledger) (answer, error) {
			return newHeightInfo(l), nil
		}, nil
	case "block":
		return askBlock(c, args[0])
	case "tx":
		return func(ctx context.Context, l *ledger.Ledger) (answer, error) { return transactionOf(ctx, l, args[0]) }, nil
	case "state":
		return func(ctx context.Context, l *ledger.Ledger) (answer, error) {
			namespace, key := args[0], zeroes(args[1])
			v, err := l.State(ctx, namespace, key)
			return stateInfo{namespace, key, valueOf(v)}, err
		}, nil
	default:
		return func(ctx context.Context, l *ledger.Ledger) (answer, error) {
			h := historyInfo{Namespace: args[0], Key: zeroes(args[1]), Values: []valueInfo{}}
			size := 0
			err := l.History(ctx, h.Namespace, h.Key, func(v ledger.Value) bool {
				if h.More = len(h.Values) == maxHistory || size > maxHistoryBytes; h.More {
					return false
				}
				h.Values = append(h.Values, valueOf(v))
				size += len(v.Value)
				return true
			})
			if err == nil && len(h.Values) == 0 {
				err = fmt.Errorf("history of %s %q: %w", h.Namespace, h.Key, ledger.ErrNotFound)
			}
			return h, err
		}, nil
	}
}

// What is printed of a key's history is bounded.
const (
	maxHistory      = 10_000
	maxHistoryBytes = 64 << 20
)

func zeroes(key string) string { return strings.ReplaceAll(key, `\x00`, "\x00") }

func askBlock(c *cobra.Command, name string) (question, error) {
	if n, err := strconv.ParseUint(name, 10, 64); err == nil {
		return func(ctx context.Context, l *ledger.Ledger) (answer, error) {
			b, err := l.Block(ctx, event.BlockNum(n))
			return blockOf(l, b), err
		}, nil
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(name, "0x"))
	if err != nil || len(raw) != sha256.Size {
		return nil, usagef(c, "block %q is neither a number nor a hash of %d hexadecimal digits", name, 2*sha256.Size)
	}
	return func(ctx context.Context, l *ledger.Ledger) (answer, error) {
		b, err := l.BlockByHash(ctx, [sha256.Size]byte(raw))
		return blockOf(l, b), err
	}, nil
}

type heightInfo struct {
	Ledger  string         `json:"ledger"`
	Channel string         `json:"channel"`
	First   event.BlockNum `json:"first_block"`
	// Height is the number of the block that would come next.
	Height event.Height `json:"height"`
}

func newHeightInfo(l *ledger.Ledger) heightInfo {
	return heightInfo{l.Name(), l.Channel(), l.First(), l.Height()}
}

func (h heightInfo) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "height %d: %s of channel %s\n", h.Height, h.blocks(), h.Channel)
	return err
}

func (h heightInfo) blocks() string {
	switch first := event.Height(h.First); {
	case h.Height <= first:
		return "no blocks"
	case h.Height == first+1:
		return fmt.Sprintf("block %d alone", first)
	}
	return fmt.Sprintf("blocks %d to %d", h.First, h.Height-1)
}

type blockInfo struct {
	Channel      string            `json:"channel"`
	Number       event.BlockNum    `json:"block"`
	Hash         string            `json:"hash"`
	Bytes        int               `json:"block_bytes"`
	MadeUp       bool              `json:"made_up"`
	Transactions []transactionInfo `json:"transactions"`
}

type transactionInfo struct {
	Block      *event.BlockNum     `json:"block,omitempty"`
	Index      int                 `json:"transaction"`
	ID         string              `json:"id"`
	Type       string              `json:"type"`
	Validation string              `json:"validation"`
	Reads      []ledger.Read       `json:"reads"`
	Queries    []ledger.RangeQuery `json:"range_queries"`
	Writes     []writeInfo         `json:"writes"`
}

type writeInfo struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	Deleted   bool   `json:"deleted,omitempty"`
	Bytes     int    `json:"value_bytes"`
	// Applied: the state got it, which it does not of a transaction that is not valid.
	Applied bool `json:"applied"`
}

func blockOf(l *ledger.Ledger, b ledger.StoredBlock) blockInfo {
	about := blockInfo{
		Channel: l.Channel(), Number: b.Number, Hash: hex.EncodeToString(b.Hash[:]), Bytes: b.Bytes, MadeUp: b.MadeUp,
		Transactions: []transactionInfo{},
	}
	for i := range b.Contents {
		about.Transactions = append(about.Transactions, contentsOf(i, &b.Contents[i]))
	}
	return about
}

func transactionOf(ctx context.Context, l *ledger.Ledger, id string) (answer, error) {
	at, err := l.Transaction(ctx, id)
	if err != nil {
		return nil, err
	}
	b, err := l.Block(ctx, at.Block)
	if err != nil {
		return nil, err
	}
	if at.Transaction >= len(b.Contents) {
		return nil, fmt.Errorf("block %d has no transaction %d: the index is damaged", at.Block, at.Transaction)
	}
	t := contentsOf(at.Transaction, &b.Contents[at.Transaction])
	t.Block = &at.Block
	return t, nil
}

func contentsOf(i int, t *ledger.Transaction) transactionInfo {
	about := transactionInfo{
		Index: i, ID: t.ID, Type: t.Type, Validation: t.Code.String(), Reads: t.Reads, Queries: t.Queries, Writes: []writeInfo{},
	}
	for _, w := range t.Writes {
		about.Writes = append(about.Writes, writeInfo{w.Namespace, w.Key, w.Delete, len(w.Value), t.Code == ledger.Valid})
	}
	return about
}

func (b blockInfo) print(w io.Writer) error {
	made := ""
	if b.MadeUp {
		made = ", made up"
	}
	fmt.Fprintf(w, "block %d of channel %s: %s, %s%s\n", b.Number, b.Channel, analysis.FormatCounted(int64(len(b.Transactions)), "transaction"), analysis.FormatCounted(int64(b.Bytes), "byte"), made)
	fmt.Fprintf(w, "hash %s\n", b.Hash)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range b.Transactions {
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\n", t.Index, t.Validation, t.name(), analysis.FormatCounted(int64(len(t.Reads)), "read"), analysis.FormatCounted(int64(len(t.Writes)), "write"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, t := range b.Transactions {
		for _, x := range t.Writes {
			fmt.Fprintf(tw, "%d\t", t.Index)
			x.print(tw)
		}
	}
	return tw.Flush()
}

// name is the id, or the type of a transaction that has none.
func (t transactionInfo) name() string {
	if t.ID == "" {
		return t.Type
	}
	return t.ID
}

func (t transactionInfo) print(w io.Writer) error {
	fmt.Fprintf(w, "transaction %s\nblock %d, transaction %d: %s, %s\n", t.name(), *t.Block, t.Index, t.Type, t.Validation)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range t.Reads {
		version := "absent"
		if r.Version != nil {
			version = fmt.Sprintf("block %d, transaction %d", r.Version[0], r.Version[1])
		}
		fmt.Fprintf(tw, "read\t%s\t%q\t%s\n", r.Namespace, r.Key, version)
	}
	for _, q := range t.Queries {
		fmt.Fprintf(tw, "range\t%s\t%q\tto %q\n", q.Namespace, q.Start, q.End)
	}
	for _, x := range t.Writes {
		x.print(tw)
	}
	return tw.Flush()
}

func (x writeInfo) print(w io.Writer) {
	what := analysis.FormatCounted(int64(x.Bytes), "byte")
	if x.Deleted {
		what = "deleted"
	}
	if !x.Applied {
		what += ", not applied"
	}
	fmt.Fprintf(w, "write\t%s\t%q\t%s\n", x.Namespace, x.Key, what)
}

type stateInfo struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	valueInfo
}

type historyInfo struct {
	Namespace string      `json:"namespace"`
	Key       string      `json:"key"`
	Values    []valueInfo `json:"values"`
	// More: there are more values than these.
	More bool `json:"more"`
}

type valueInfo struct {
	Block       event.BlockNum `json:"block"`
	Transaction int            `json:"transaction"`
	ID          string         `json:"id,omitempty"`
	Deleted     bool           `json:"deleted,omitempty"`
	Bytes       int            `json:"value_bytes"`
	// Text is the value if it is text, Raw (base64) if it is not.
	Text     *string `json:"value,omitempty"`
	Raw      []byte  `json:"value_base64,omitempty"`
	Metadata []byte  `json:"metadata_base64,omitempty"`
}

func valueOf(v ledger.Value) valueInfo {
	about := valueInfo{
		Block: v.Block, Transaction: v.Transaction, ID: v.TxID, Deleted: v.Deleted, Bytes: len(v.Value), Metadata: v.Metadata,
	}
	switch {
	case v.Deleted:
	case utf8.Valid(v.Value):
		text := string(v.Value)
		about.Text = &text
	default:
		about.Raw = bytes.Clone(v.Value) // which is a part of its block
	}
	return about
}

// maxShown is how much of a value a table shows; JSON has it all.
const maxShown = 200

func (v valueInfo) show() string {
	more := ""
	if v.Bytes > maxShown {
		more = fmt.Sprintf("… (%s)", analysis.FormatCounted(int64(v.Bytes), "byte"))
	}
	switch {
	case v.Deleted:
		return "deleted"
	case v.Text != nil:
		return strconv.Quote(firstBytes(*v.Text, maxShown)) + more
	}
	return "0x" + hex.EncodeToString(v.Raw[:min(len(v.Raw), maxShown)]) + more
}

// firstBytes is as many whole characters of text as fit into n bytes.
func firstBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func (s stateInfo) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s %q = %s\nversion: block %d, transaction %d\n", s.Namespace, s.Key, s.show(), s.Block, s.Transaction)
	return err
}

func (h historyInfo) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range h.Values {
		fmt.Fprintf(tw, "block %d\ttransaction %d\t%s\t%s\n", v.Block, v.Transaction, v.ID, v.show())
	}
	if h.More {
		fmt.Fprintf(tw, "and more than these %d\n", len(h.Values))
	}
	return tw.Flush()
}
