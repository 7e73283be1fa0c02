package cost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/blockreel/blockreel/traces/event"
)

// Version is the version of the file's format.
const Version = 2

// Limits of a file, checked before it is believed.
const (
	// MaxFileBytes bounds the document. The largest that Write makes, of MaxBlocks, has half
	// of it, and that of 4,000 blocks a tenth.
	MaxFileBytes = 1 << 20
	// maxBlocks bounds any number of blocks.
	maxBlocks   = 1 << 40
	maxBlockNum = 1 << 62
	// maxCount bounds what a count may be.
	maxCount = 1e18
	// maxName bounds the ledger's spec and the tool.
	maxName = 4096
	// maxCoefficient bounds a coefficient, in ns: an hour for one transaction.
	maxCoefficient = 3600e9
)

// document is a Model as the file has it.
type document struct {
	Version int    `json:"blockreel_cost"`
	Tool    string `json:"tool"`
	Ledger  string `json:"ledger"`
	First   int64  `json:"first_block"`
	Blocks  int    `json:"blocks"`
	Warmup  int    `json:"warmup_blocks"`
	Runs    int    `json:"runs"`
	// Measured blocks, of which Blocks were fitted.
	Measured int  `json:"measured_blocks"`
	MadeUp   bool `json:"made_up_blocks"`
	// Refused is not in the files of earlier programs.
	Refused *float64 `json:"refused_share"`
	Machine Machine  `json:"machine"`
	Seen    struct {
		Transactions Seen `json:"transactions"`
		Writes       Seen `json:"writes"`
		Bytes        Seen `json:"bytes"`
	} `json:"per_block"`
	Merged    []Merge         `json:"merged_terms"`
	HeldOut   HeldOut         `json:"held_out"`
	Drift     float64         `json:"drift"`
	RunSpread float64         `json:"run_spread"`
	MeanBlock float64         `json:"mean_block_ns"`
	Stages    []stageDocument `json:"stages"`
	Residuals []classDocument `json:"residuals"`
	Order     []int           `json:"order_of_ranks_ppm"`
}

type stageDocument struct {
	Stage          string  `json:"stage"`
	Fixed          float64 `json:"fixed_ns"`
	PerTransaction float64 `json:"per_transaction_ns"`
	PerWrite       float64 `json:"per_write_ns"`
	PerByte        float64 `json:"per_byte_ns"`
}

type classDocument struct {
	From   float64           `json:"from_block_cost_ns"`
	Strata []stratumDocument `json:"strata"`
}

type stratumDocument struct {
	Blocks int             `json:"blocks"`
	Left   [stages]float64 `json:"stages_ns"`
}

// Write writes the model as a JSON document.
func (m *Model) Write(w io.Writer) error {
	d := document{
		Version: Version, Tool: m.Tool, Ledger: m.Ledger, First: int64(m.First), Blocks: m.Blocks, Warmup: m.Warmup, MadeUp: m.MadeUp, Refused: m.Refused,
		Runs: m.Runs, Measured: m.Measured, Machine: m.Machine, Merged: m.Merged, HeldOut: m.HeldOut, Drift: m.Drift, RunSpread: m.RunSpread, MeanBlock: math.Round(m.residuals.mean),
		Order: m.residuals.order,
	}
	if d.Merged == nil {
		d.Merged = []Merge{}
	}
	d.Seen.Transactions, d.Seen.Writes, d.Seen.Bytes = m.Transactions, m.Writes, m.Bytes
	for s, c := range m.coefficients {
		d.Stages = append(d.Stages, stageDocument{StageNames[s], c[fixed], c[perTransaction], c[perWrite], c[perByte]})
	}
	for _, c := range m.residuals.classes {
		cd := classDocument{From: c.from}
		for _, s := range c.strata {
			cd.Strata = append(cd.Strata, stratumDocument{s.blocks, s.left})
		}
		d.Residuals = append(d.Residuals, cd)
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("write cost model: %w", err)
	}
	_, err = w.Write(append(inRows(text), '\n'))
	return err
}

// inRows puts lists of numbers into rows, so that a person can read them: the stages of
// a stratum into one, the terms of a count into one, an order into rows of 16.
func inRows(text []byte) []byte {
	var out bytes.Buffer
	const width = 16
	inside, column := false, 0
	for line := range bytes.Lines(text) {
		body := bytes.TrimSpace(line)
		switch {
		case !inside && slices.Contains([]string{`"stages_ns": [`, `"order_of_ranks_ppm": [`, `"count_by_term": [`}, string(body)):
			inside, column = true, 0
			out.Write(bytes.TrimRight(line, "\n"))
		case inside && body[0] == ']':
			inside = false
			out.Write(body)
			out.WriteByte('\n')
		case inside && column == width:
			column = 1
			out.WriteByte('\n')
			out.Write(body)
		case inside:
			if column > 0 {
				out.WriteByte(' ')
			}
			column++
			out.Write(body)
		default:
			out.Write(line)
		}
	}
	return out.Bytes()
}

// ReadFile reads the model in a file.
func ReadFile(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Read reads a model. It refuses what Write cannot have written.
func Read(r io.Reader) (*Model, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read cost model: %w", err)
	}
	if len(text) > MaxFileBytes {
		return nil, fmt.Errorf("not a cost model: it is longer than %d bytes", MaxFileBytes)
	}
	var head struct {
		Version *int `json:"blockreel_cost"`
	}
	if err := json.Unmarshal(text, &head); err != nil || head.Version == nil {
		return nil, errors.New("not a cost model: write one with blockreel calibrate")
	}
	if *head.Version != Version {
		return nil, fmt.Errorf("the cost model has version %d and this program reads version %d: calibrate again", *head.Version, Version)
	}
	var d document
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("cost model: %w", err)
	}
	m, err := d.model()
	if err != nil {
		return nil, fmt.Errorf("cost model: %w", err)
	}
	return m, nil
}

// model checks the document and makes the Model of it.
func (d *document) model() (*Model, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	m := &Model{
		Tool: d.Tool, Ledger: d.Ledger, First: event.BlockNum(d.First), Blocks: d.Blocks, Warmup: d.Warmup, MadeUp: d.MadeUp, Refused: d.Refused, Machine: d.Machine,
		Runs: d.Runs, Measured: d.Measured,
		Transactions: d.Seen.Transactions, Writes: d.Seen.Writes, Bytes: d.Seen.Bytes,
		Merged: d.Merged, HeldOut: d.HeldOut, Drift: d.Drift, RunSpread: d.RunSpread,
	}
	m.residuals.mean, m.residuals.order = d.MeanBlock, d.Order
	for i, s := range d.Stages {
		m.coefficients[i] = coefficients{s.Fixed, s.PerTransaction, s.PerWrite, s.PerByte}
	}
	for _, cd := range d.Residuals {
		c := class{from: cd.From}
		for _, s := range cd.Strata {
			c.strata = append(c.strata, stratum{s.Blocks, s.Left})
			c.blocks += s.Blocks
		}
		m.residuals.classes = append(m.residuals.classes, c)
	}
	return m, nil
}

func (d *document) check() error {
	switch {
	case d.Ledger == "" || len(d.Ledger) > maxName || len(d.Tool) > maxName:
		return errors.New("it does not name its ledger in a few words")
	case d.First < 0 || d.First > maxBlockNum:
		return fmt.Errorf("its first block is %d", d.First)
	case d.Blocks < 1 || int64(d.Blocks) > maxBlocks || d.Warmup < 0 || int64(d.Warmup) > maxBlocks:
		return fmt.Errorf("it is made of %d blocks behind %d", d.Blocks, d.Warmup)
	case d.Runs < 1 || d.Runs > d.Blocks || d.Measured < d.Blocks || int64(d.Measured) > maxBlocks:
		return fmt.Errorf("its %d blocks are of %d that were measured in %d runs", d.Blocks, d.Measured, d.Runs)
	case d.Refused != nil && !within(*d.Refused, 0, 1):
		return fmt.Errorf("a share of %g of its transactions was refused", *d.Refused)
	case len(d.Stages) != stages:
		return fmt.Errorf("it has %d stages where %d are known", len(d.Stages), stages)
	case len(d.Merged) >= terms:
		return errors.New("it merges more terms than there are")
	case !within(d.MeanBlock, 0, maxTime):
		return fmt.Errorf("its mean block takes %g ns", d.MeanBlock)
	}
	for _, m := range d.Merged {
		if !slices.Contains(termNames[perTransaction:], m.Term) || !slices.Contains(termNames[:], m.Into) || m.Term == m.Into {
			return fmt.Errorf("it merges %q into %q; known are %s", m.Term, m.Into, strings.Join(termNames[:], ", "))
		}
		for _, x := range m.Count {
			if !within(x, -maxCount, maxCount) {
				return fmt.Errorf("the count of %q follows by %g from another", m.Term, x)
			}
		}
	}
	for i, s := range d.Stages {
		if s.Stage != StageNames[i] {
			return fmt.Errorf("stage %d is %q where %q is expected", i, s.Stage, StageNames[i])
		}
		for _, c := range []float64{s.Fixed, s.PerTransaction, s.PerWrite, s.PerByte} {
			if !within(c, 0, maxCoefficient) {
				return fmt.Errorf("a coefficient of %s is %g ns, not in 0…%g", s.Stage, c, float64(maxCoefficient))
			}
		}
	}
	for _, x := range []float64{d.HeldOut.MeanFold, d.HeldOut.WorstFold, d.HeldOut.Forward, d.HeldOut.BlockError, d.HeldOut.TailError, d.Drift, d.RunSpread} {
		if !within(x, -1e6, 1e6) {
			return fmt.Errorf("an error of %g cannot be", x)
		}
	}
	for _, s := range []Seen{d.Seen.Transactions, d.Seen.Writes, d.Seen.Bytes} {
		if s.Min < 0 || s.Max < s.Min || !within(s.Mean, 0, maxCount) {
			return fmt.Errorf("a range from %d to %d with a mean of %g cannot be", s.Min, s.Max, s.Mean)
		}
	}
	if err := d.Machine.check(); err != nil {
		return err
	}
	if err := checkOrder(d.Order); err != nil {
		return err
	}
	return checkResiduals(d.Residuals, d.Blocks)
}

func checkResiduals(classes []classDocument, blocks int) error {
	if len(classes) < 1 || len(classes) > maxClasses {
		return fmt.Errorf("it has %d classes of residuals, not 1 to %d", len(classes), maxClasses)
	}
	total := 0
	for i, c := range classes {
		if !within(c.From, 0, maxTime*stages) || i == 0 && c.From != 0 || i > 0 && c.From <= classes[i-1].From {
			return fmt.Errorf("class %d of residuals begins at %g ns", i, c.From)
		}
		if len(c.Strata) < 1 || len(c.Strata) > maxStrata {
			return fmt.Errorf("class %d has %d residuals, not 1 to %d", i, len(c.Strata), maxStrata)
		}
		for _, s := range c.Strata {
			if s.Blocks < 1 || s.Blocks > blocks {
				return fmt.Errorf("a residual stands for %d of %d blocks", s.Blocks, blocks)
			}
			total += s.Blocks
			for _, x := range s.Left {
				if !within(x, -maxTime, maxTime) {
					return fmt.Errorf("a residual of %g ns cannot be", x)
				}
			}
		}
	}
	if total != blocks {
		return fmt.Errorf("its residuals are of %d blocks, and it is made of %d", total, blocks)
	}
	return nil
}

func checkOrder(order []int) error {
	if len(order) < 1 || len(order) > MaxBlocks {
		return fmt.Errorf("it has the order of %d blocks, not of 1 to %d", len(order), MaxBlocks)
	}
	for _, rank := range order {
		if rank < 0 || rank > rankScale {
			return fmt.Errorf("its order has a rank of %d, not 0 to %d", rank, rankScale)
		}
	}
	return nil
}

// within is false of what is not a number.
func within(x, low, high float64) bool { return x >= low && x <= high }
