package job

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxNotes is how many ids a line names under one key; the others are counted.
const maxNotes = 100

// Summary collects what a run did: counts, and ids of what is worth finding
// again. Never an address, a name or a secret. It is safe for concurrent use.
type Summary struct {
	mu     sync.Mutex
	counts map[string]int
	notes  map[string][]string
	more   map[string]int // notes beyond maxNotes
}

// Count adds n to the count of that name. Counting 0 makes it appear.
func (s *Summary) Count(name string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.counts[name] += n
}

// Note adds an id under a key. After a hundred under one key only their number
// grows.
func (s *Summary) Note(key, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.notes[key]) >= maxNotes {
		if s.more == nil {
			s.more = map[string]int{}
		}
		s.more[key]++
		return
	}
	if s.notes == nil {
		s.notes = map[string][]string{}
	}
	s.notes[key] = append(s.notes[key], id)
}

// String gives the counts in a few words, in the order of their names.
func (s *Summary) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var words []string
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		words = append(words, fmt.Sprintf("%s %d", name, s.counts[name]))
	}
	return strings.Join(words, ", ")
}

// attrs are the counts and the ids as parts of a log line, in a fixed order.
func (s *Summary) attrs() []slog.Attr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var counts, ids []slog.Attr
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		counts = append(counts, slog.Int(name, s.counts[name]))
	}
	for _, key := range slices.Sorted(maps.Keys(s.notes)) {
		notes := slices.Clone(s.notes[key])
		if more := s.more[key]; more > 0 {
			notes = append(notes, fmt.Sprintf("and %d more", more))
		}
		ids = append(ids, slog.Any(key, notes))
	}
	return []slog.Attr{slog.GroupAttrs("counts", counts...), slog.GroupAttrs("ids", ids...)}
}
