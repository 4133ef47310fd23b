package config

import (
	"regexp"
	"slices"
	"strings"

	"sallyport/shared/rollout"
)

// checker holds what was read to what a rollout needs. Each check looks only at
// values that could be read, so that one mistake is reported once.
type checker struct {
	*report
	cfg  *rollout.Config
	opts Options
}

// check reports what is wrong or unwise, and brings values into the one form in
// which the rest of Sallyport knows them.
func check(cfg *rollout.Config, opts Options, report *report) {
	c := checker{report, cfg, opts}
	c.tenant()
	c.choice("method", string(cfg.Method), methods())
	c.calendar()
	c.waves()
	c.securityDefaults()
	c.reminders()
	c.emergencyAccounts()
	c.exemptions()
	c.extensions()
	c.overrides()
	c.accepted()
	c.communication()
	c.alerts()
	c.waivers()
	c.limits()
	c.drills()
}

// initialDomain matches the domain that a tenant is created with, worldwide and
// in the national clouds that Graph serves.
// Source: https://learn.microsoft.com/graph/deployments
var initialDomain = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?\.(onmicrosoft\.com|onmicrosoft\.us|partner\.onmschina\.cn)$`)

func (c checker) tenant() {
	if !c.usable["tenant"] {
		return
	}
	c.cfg.Tenant = rollout.TenantID(strings.ToLower(string(c.cfg.Tenant)))
	if !initialDomain.MatchString(string(c.cfg.Tenant)) {
		c.fail("tenant", "%s is not an initial domain; Microsoft never lets that one change, so everything is filed under it", quote(string(c.cfg.Tenant)))
	}
}

// choice holds a value to a list of words.
func (c checker) choice(path, value string, words []string) {
	if !c.usable[path] || slices.Contains(words, value) {
		return
	}
	if meant := nearest(value, words); meant != "" {
		c.fail(path, "%s is none of the words that can stand here; did you mean %s?", quote(value), meant)
		return
	}
	c.fail(path, "%s is none of the words that can stand here", quote(value))
}

// between holds a number to a range; the hint says which.
func (c checker) between(path string, value, least, most float64) {
	if c.usable[path] && (value < least || value > most) {
		c.fail(path, "%v is out of range", value)
	}
}

// unique holds a value to being the only one of its kind: seen remembers under
// which path each was met first.
func (c checker) unique(path, value string, seen map[string]string, format string, args ...any) {
	if !c.usable[path] {
		return
	}
	if first, twice := seen[value]; twice {
		c.fail(path, format+" (first at line %d)", append(args, c.placeOf(first).line)...)
		return
	}
	seen[value] = path
}

func (c checker) limits() {
	c.between("graceDays", float64(c.cfg.GraceDays), 0, 90)
	c.between("groupChanges", float64(c.cfg.GroupChanges), 1, 1e6)
	c.between("breaker.people", float64(c.cfg.Breaker.People), 1, 1e6)
	c.between("breaker.percent", c.cfg.Breaker.Percent, 0.01, 100)
	c.between("breaker.admins", float64(c.cfg.Breaker.Admins), 1, 1e6)
}

func (c checker) waivers() {
	for i, w := range c.cfg.Waivers {
		path := item("waivers", i)
		waivable, known := c.opts.Gates[w.Gate]
		switch {
		case !c.usable[path+".gate"] || waivable:
		case known:
			c.failWith(path+".gate", "no waiver: mend what the gate names instead", "waivers: []",
				"the gate %s can never be waived: without it the tenant can lose its last way in", w.Gate)
		default:
			c.unknownGate(path+".gate", w.Gate)
		}
	}
}

func (c checker) unknownGate(path, gate string) {
	var ids []string
	for id, waivable := range c.opts.Gates {
		if waivable {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	expected := "one of " + strings.Join(ids, ", ")
	if meant := nearest(gate, ids); meant != "" {
		c.failWith(path, expected, "gate: "+meant, "there is no gate %s; did you mean %s?", quote(gate), meant)
		return
	}
	c.failWith(path, expected, c.hint(path).example, "there is no gate %s", quote(gate))
}
