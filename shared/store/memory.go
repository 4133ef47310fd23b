package store

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
)

// Memory is a table in memory, of the same semantics as DynamoDB's: what is
// written goes through the same encoding and the same limits, so a record reads
// back exactly as it would from DynamoDB (nanoseconds and zone offsets kept,
// zone names not). Unlike DynamoDB it never deletes what has expired.
type Memory struct {
	copier copier

	mu         sync.Mutex
	partitions map[string]*memoryPartition
}

// memoryPartition keeps its items by sort key. The sorted list is made when a
// query needs it and thrown away by the next write; once handed out it is never
// changed, so a query sees one moment.
type memoryPartition struct {
	items  map[string]*memoryItem
	sorted []*memoryItem
}

// memoryItem is never changed once it is stored.
type memoryItem struct {
	table *Memory
	Item
	data reflect.Value // of the decoded record
}

// NewMemory returns an empty table.
func NewMemory() *Memory {
	return &Memory{partitions: map[string]*memoryPartition{}}
}

// Get implements [Table].
func (m *Memory) Get(ctx context.Context, key Key, into any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	item := m.item(key)
	m.mu.Unlock()
	if item == nil {
		return ErrNotFound
	}
	return item.Decode(into)
}

// Query implements [Table].
func (m *Memory) Query(ctx context.Context, partition string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		for _, item := range m.sorted(partition) {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// Write implements [Table].
func (m *Memory) Write(ctx context.Context, writes ...Write) error {
	items, err := m.prepare(ctx, writes)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range writes {
		if !w.If.holds(m.item(w.Key)) {
			return ErrConflict
		}
	}
	m.apply(writes, items)
	return nil
}

// Batch implements [Table].
func (m *Memory) Batch(ctx context.Context, writes []Write) error {
	items, err := m.prepare(ctx, writes)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.apply(writes, items)
	return nil
}

// prepare encodes and decodes every record once, as a table elsewhere would.
func (m *Memory) prepare(ctx context.Context, writes []Write) ([]*memoryItem, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	items := make([]*memoryItem, len(writes))
	for i, w := range writes {
		if w.Delete {
			continue
		}
		attributes, err := encode(w.Item)
		if err != nil {
			return nil, err
		}
		data := reflect.New(reflect.TypeOf(w.Data))
		if err := decode(attributes[attrData], data.Interface()); err != nil {
			return nil, fmt.Errorf("%s cannot be read back: %w", w.Key, err)
		}
		items[i] = &memoryItem{table: m, Item: w.Item, data: data.Elem()}
		items[i].Data = nil // the caller's own; kept is the copy
	}
	return items, nil
}

func (m *Memory) apply(writes []Write, items []*memoryItem) {
	for i, w := range writes {
		p := m.partitions[w.Key.PK]
		if p == nil {
			p = &memoryPartition{items: map[string]*memoryItem{}}
			m.partitions[w.Key.PK] = p
		}
		p.sorted = nil
		if w.Delete {
			delete(p.items, w.Key.SK)
		} else {
			p.items[w.Key.SK] = items[i]
		}
	}
}

func (m *Memory) item(key Key) *memoryItem {
	if p := m.partitions[key.PK]; p != nil {
		return p.items[key.SK]
	}
	return nil
}

func (m *Memory) sorted(partition string) []*memoryItem {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.partitions[partition]
	if p == nil {
		return nil
	}
	if p.sorted == nil {
		p.sorted = make([]*memoryItem, 0, len(p.items))
		for _, item := range p.items {
			p.sorted = append(p.sorted, item)
		}
		slices.SortFunc(p.sorted, func(a, b *memoryItem) int { return cmp.Compare(a.Key.SK, b.Key.SK) })
	}
	return p.sorted
}

// Decode implements [Row].
func (i *memoryItem) Decode(into any) error {
	target := reflect.ValueOf(into).Elem()
	if target.Type() != i.data.Type() {
		return fmt.Errorf("%s holds a %s, not a %s", i.Key, i.data.Type(), target.Type())
	}
	i.table.copier.copy(target, i.data)
	return nil
}

// holds is the condition on what is stored; nil is nothing.
func (c Condition) holds(stored *memoryItem) bool {
	switch c.kind {
	case absent:
		return stored == nil
	case versionIs:
		return stored != nil && stored.Version == c.version
	case freeFor:
		return stored == nil ||
			(stored.Owner != "" && stored.Owner == c.owner) ||
			(stored.Expires != 0 && stored.Expires <= c.now)
	}
	return true
}
