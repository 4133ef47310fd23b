package tenant

import (
	"slices"
	"strings"
)

// This file loads what an account has beside its row: the kind of its mailbox,
// its manager, and the legacy per-user MFA.

func (l *loader) purposes() {
	f := l.files[listPurposes]
	for _, id := range sortedKeys(f.keyed) {
		purpose, is := wordOf(f.keyed[id], "value", "userPurpose")
		if _, known := l.t.users.get(id); !known || !is && f.keyed[id] != nil {
			l.problem(f.from[id], "the mailbox of %s fits no account or says no kind", id)
			continue
		}
		l.t.person(id).purpose = purpose
	}
}

// perUserMFA takes the state of the legacy switch, whatever Microsoft calls it.
func (l *loader) perUserMFA() {
	f := l.files[listPerUserMFA]
	for _, id := range sortedKeys(f.keyed) {
		state, _ := wordOf(f.keyed[id], perUserState, "value")
		if _, known := l.t.users.get(id); !known || state == "" {
			l.problem(f.from[id], "the per-user MFA of %s fits no account or says no state", id)
			continue
		}
		l.t.person(id).perUser = state
	}
}

// wordOf reads a value that stands alone or under one of the names.
func wordOf(v any, names ...string) (word string, is bool) {
	o, wrapped := v.(Object)
	if !wrapped {
		word, is = v.(string)
		return word, is
	}
	for _, n := range names {
		if word = text(o, n); word != "" {
			break
		}
	}
	return word, true
}

// managers says to whom each account reports: the listing, or else what stood
// beside the accounts.
func (l *loader) managers() {
	t, f := l.t, l.files[listManagers]
	listed := map[string]bool{}
	for _, s := range f.rows {
		id := strings.ToLower(text(s.row, "id"))
		if _, known := t.users.get(id); !known {
			l.problem(s.file, "the manager of %s fits no account of users", nameOf(s.row))
			continue
		}
		listed[id] = true
		l.manager(s.file, id, text(s.row, "manager", "id"))
	}
	for _, id := range sortedKeys(l.beside) {
		if !listed[id] {
			listed[id] = true
			l.manager(listUsers, id, l.beside[id])
		}
	}
	switch n := t.users.len(); {
	case len(f.rows) > 0 && len(listed) < n:
		l.problem(listManagers, "it holds %d of %d accounts: the managers of the others are not known", len(listed), n)
	case len(f.rows) == 0 && len(listed) > 0:
		l.report.Missing = slices.DeleteFunc(l.report.Missing, func(m Missing) bool { return m.Listing == listManagers })
		l.report.Loaded = append(l.report.Loaded, Loaded{listManagers, l.files[listUsers].files, len(listed)})
	}
}

func (l *loader) manager(file, id, manager string) {
	if _, known := l.t.users.get(manager); manager != "" && !known {
		l.problem(file, "the manager of %s is %q, which fits no account of users", id, manager)
		return
	}
	l.t.person(id).manager = manager
}
