package archive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// memory keeps objects in this process. What is kept is never changed, only
// replaced: whoever is reading goes on reading what he opened.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

// NewMemory returns an empty archive in memory, for rehearsals and tests.
func NewMemory() Archive { return &memory{objects: map[string][]byte{}} }

func (m *memory) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("archive: write %s: %w", name, err)
	}
	own, err := io.ReadAll(content)
	if err != nil {
		return fmt.Errorf("archive: write %s: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[name] = own
	return nil
}

func (m *memory) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("archive: read %s: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	content, found := m.objects[name]
	if !found {
		return nil, fmt.Errorf("archive: read %s: %w", name, ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

func (m *memory) List(ctx context.Context, prefix string) ([]string, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("archive: list %s: %w", prefix, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	names := []string{}
	for name := range m.objects {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memory) Delete(ctx context.Context, names ...string) error {
	if err := checkNames(names); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("archive: delete %d objects: %w", len(names), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		delete(m.objects, name)
	}
	return nil
}
