package ledger

// memoryWindow is the number of blocks whose payload, index and history the
// memory ledger keeps: the state is bounded by its key space, these are not.
const memoryWindow = 256

// memory is the cheapest backend: maps, and nothing survives Close. What a run
// with it takes is the cost of the pipeline itself.
type memory struct {
	values map[string][]byte
	// recent holds the keys that each of the last blocks will take with it when
	// it leaves the window, by block number modulo the window.
	recent [memoryWindow][]string
	writes int
}

func newMemory() *memory { return &memory{values: make(map[string][]byte)} }

func (m *memory) get(dst, key []byte) ([]byte, bool, error) {
	v, ok := m.values[string(key)]
	return append(dst, v...), ok, nil
}

func (m *memory) write(b *batch) error {
	slot := &m.recent[m.writes%memoryWindow]
	m.writes++
	for _, key := range *slot {
		delete(m.values, key)
	}
	*slot = (*slot)[:0]
	for i := range b.len() {
		key, value := b.entry(i)
		if old, ok := m.values[string(key)]; ok && len(old) == len(value) {
			copy(old, value)
			continue
		}
		k := string(key)
		m.values[k] = append([]byte(nil), value...)
		switch key[0] {
		case blockPrefix, indexPrefix, historyPrefix:
			*slot = append(*slot, k)
		}
	}
	return nil
}

func (m *memory) close() error {
	m.values = nil
	return nil
}
