package rollout

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Names in [Coverage.ByDepartment] that no department has: of accounts without
// one, and of all departments beyond the largest.
const (
	DepartmentNone  = "(none)"
	DepartmentOther = "(other)"
)

// Departments are free text, and the record of a day has to fit the table: so
// many are told apart while counting, and so many of the largest are kept, by so
// many letters of their name (Entra ID takes 64).
const (
	mostDepartments = 500
	keptDepartments = 200
	departmentName  = 64
)

// CoverageOf counts the accounts.
func CoverageOf(cfg Config, accounts []Account, day Date) Coverage {
	c := newCounter(cfg, day)
	for _, a := range accounts {
		c.add(a)
	}
	return c.result()
}

// counter adds accounts up to a coverage. Its memory does not grow with them.
type counter struct {
	cfg         Config
	day         Date
	sum         Coverage
	departments map[string]Share
}

func newCounter(cfg Config, day Date) *counter {
	return &counter{
		cfg: cfg, day: day, departments: map[string]Share{},
		sum: Coverage{Classes: map[Class]int{}, ByClass: map[Class]Share{}, ByWave: map[string]Share{}},
	}
}

func (c *counter) add(a Account) {
	c.sum.Classes[a.Class]++
	if a.InGrace() && IsPerson(c.cfg, a) {
		c.sum.New++
	}
	if !Counts(c.cfg, a, c.day) {
		return
	}
	c.sum.All++
	switch a.Capable {
	case Yes:
		c.sum.Capable++
		if a.Strength == StrengthWeak {
			c.sum.Weak++
		}
	case No:
	default:
		c.sum.Unknown++
	}
	c.sum.ByClass[a.Class] = c.sum.ByClass[a.Class].with(a)
	for _, w := range c.cfg.Waves {
		if w.Holds(c.cfg, a, c.day) {
			c.sum.ByWave[w.Name] = c.sum.ByWave[w.Name].with(a)
		}
	}
	name := department(a)
	if _, known := c.departments[name]; !known && len(c.departments) >= mostDepartments {
		name = DepartmentOther
	}
	c.departments[name] = c.departments[name].with(a)
}

func (s Share) with(a Account) Share {
	s.All++
	if a.Capable == Yes {
		s.Capable++
	}
	return s
}

func department(a Account) string {
	name := cut(strings.TrimSpace(a.Department), departmentName)
	if name == "" {
		return DepartmentNone
	}
	return name
}

// result is the coverage so far. It shares nothing with the counter, which may
// go on.
func (c *counter) result() Coverage {
	sum := c.sum
	sum.Classes, sum.ByClass, sum.ByWave = maps.Clone(sum.Classes), maps.Clone(sum.ByClass), maps.Clone(sum.ByWave)
	sum.ByDepartment = map[string]Share{}
	named := slices.DeleteFunc(slices.Collect(maps.Keys(c.departments)), func(name string) bool {
		return name == DepartmentNone || name == DepartmentOther
	})
	slices.SortFunc(named, func(a, b string) int {
		return cmp.Or(cmp.Compare(c.departments[b].All, c.departments[a].All), cmp.Compare(a, b))
	})
	for name, s := range c.departments {
		sum.ByDepartment[name] = s
	}
	for _, name := range named[min(len(named), keptDepartments):] {
		other, s := sum.ByDepartment[DepartmentOther], c.departments[name]
		sum.ByDepartment[DepartmentOther] = Share{other.Capable + s.Capable, other.All + s.All}
		delete(sum.ByDepartment, name)
	}
	return sum
}

// cut returns the first n letters of a text.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
