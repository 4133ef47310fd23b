package rollout

import (
	"fmt"
	"slices"
	"strings"
)

// ExclusionShare is how many people of a wave those exclusions take out of its
// policy that others added to it.
type ExclusionShare struct {
	Added    []string // the users and groups that others excluded
	People   int      // whom these leave out
	Of       int      // people whom the wave would hold without them
	Unopened []string // excluded groups that could not be counted
}

// Large reports whether the policy is no longer the one that was announced: more
// than three people, and more than one in twenty, are out of it. What could not
// be counted may be everybody.
func (s ExclusionShare) Large() bool {
	return len(s.Unopened) > 0 || s.People > max(3, s.Of/20)
}

// String says it as evidence.
func (s ExclusionShare) String() string {
	text := fmt.Sprintf("others excluded %s, which leaves out %d of %d people", strings.Join(s.Added, ", "), s.People, s.Of)
	if len(s.Unopened) > 0 {
		text += "; not counted, because it could not be opened: " + strings.Join(s.Unopened, ", ")
	}
	return text
}

// shareOf counts whom the exclusions that others added take out of the wave.
func shareOf(cfg Config, seen Seen, wave WaveConfig, announced PolicyDraft, live Policy, day Date) ExclusionShare {
	s := ExclusionShare{Added: AddedExclusions(announced, live)}
	if len(s.Added) == 0 {
		return s
	}
	out, guests := map[string]bool{}, false
	for _, id := range s.Added {
		group, named := seen.Live.Named[id]
		switch {
		case strings.EqualFold(id, "GuestsOrExternalUsers"):
			guests = true
		case slices.Contains(live.ExcludeGroups, id) && (!named || !group.Opened):
			s.Unopened = append(s.Unopened, id)
		case slices.Contains(live.ExcludeGroups, id):
			for _, member := range group.Members {
				out[strings.ToLower(member)] = true
			}
		default:
			out[strings.ToLower(id)] = true
		}
	}
	for _, a := range addressed(cfg, seen, wave, day) {
		if !IsPerson(cfg, a) {
			continue
		}
		s.Of++
		if out[strings.ToLower(a.ID)] || guests && a.Class == ClassGuest {
			s.People++
		}
	}
	return s
}
