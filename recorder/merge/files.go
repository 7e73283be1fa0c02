package merge

import (
	"fmt"
	"io"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Files writes to w the trace in times together with the payloads in blocks. Both have the
// same header: they are the two files of one recorder. Unlike Write it keeps one chunk in
// memory. All times stand before the first payload, so that a truncated file has them.
func Files(w io.Writer, times, blocks io.Reader) error {
	t, err := traces.NewReader(times, traces.ReaderConfig{})
	if err != nil {
		return fmt.Errorf("times: %w", err)
	}
	p, err := traces.NewReader(blocks, traces.ReaderConfig{SkipData: true})
	if err != nil {
		return fmt.Errorf("payloads: %w", err)
	}
	out, err := traces.NewWriter(w, t.Header(), traces.WriterConfig{})
	if err != nil {
		return err
	}
	for chunk, err := range t.Chunks() {
		if err != nil {
			return fmt.Errorf("times: %w", err)
		}
		if err := appendChunk(out, chunk); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for b, err := range p.Payloads() {
		if err != nil {
			return fmt.Errorf("payloads: %w", err)
		}
		if err := out.Payload(b.Channel, b.Block, b.Bytes); err != nil {
			return err
		}
	}
	return out.Close()
}

func appendChunk(out *traces.Writer, chunk *traces.Chunk) error {
	for _, run := range chunk.Runs {
		for i, v := range run.Values {
			if err := out.Append(event.Event{Stream: run.Stream, Kind: run.Kind, Block: run.First + event.BlockNum(i), Value: v}); err != nil {
				return err
			}
		}
	}
	for _, s := range chunk.Samples {
		if err := out.AppendSamples(s); err != nil {
			return err
		}
	}
	for _, n := range chunk.Notes {
		if err := out.Note(n); err != nil {
			return err
		}
	}
	return nil
}
