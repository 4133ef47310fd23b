package rehearsal

import (
	"cmp"
	"fmt"
	"slices"

	"sallyport/shared/rollout"
)

// partTable is coverage, over one way to part people.
type partTable struct {
	By    string
	Lines []partLine
	More  string // what is left out
}

type partLine struct {
	Name, First, Last string // of the audits; First is empty where the part was not there yet
	Capable, All      int    // at the last
	Width             int    // of the bar, in percent of everybody in the part
}

// mostParts is how many lines a table of parts has.
const mostParts = 15

// parts shows coverage per wave, class and department; the largest departments
// first. A part without anybody who counts is left out.
func (r *report) parts() {
	c := r.detail.audit.Coverage
	var first rollout.Coverage
	if len(r.points) > 0 {
		first = r.points[0].Coverage
	}
	byWave, byClass := partTable{By: "Wave"}, partTable{By: "Kind of account"}
	for _, w := range r.detail.cfg.Waves {
		byWave.add(w.Name, first.ByWave[w.Name], c.ByWave[w.Name])
	}
	for _, class := range rollout.Classes() {
		byClass.add(string(class), first.ByClass[class], c.ByClass[class])
	}
	byDepartment := partTable{By: "Department"}
	names := sortedKeys(c.ByDepartment)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(c.ByDepartment[b].All, c.ByDepartment[a].All) })
	for _, name := range names[:min(len(names), mostParts)] {
		byDepartment.add(departmentWords(name), first.ByDepartment[name], c.ByDepartment[name])
	}
	if more := len(names) - mostParts; more > 0 {
		byDepartment.More = fmt.Sprintf("%d smaller ones are not shown.", more)
	}
	for _, t := range []partTable{byWave, byClass, byDepartment} {
		if len(t.Lines) > 0 {
			r.Parts = append(r.Parts, t)
		}
	}
}

func (t *partTable) add(name string, first, last rollout.Share) {
	if last.All == 0 {
		return
	}
	line := partLine{Name: name, Last: percent(last.Percent()), Capable: last.Capable, All: last.All, Width: int(last.Percent())}
	if first.All > 0 {
		line.First = percent(first.Percent())
	}
	t.Lines = append(t.Lines, line)
}

func departmentWords(name string) string {
	switch name {
	case rollout.DepartmentNone:
		return "no department given"
	case rollout.DepartmentOther:
		return "all others"
	}
	return name
}
