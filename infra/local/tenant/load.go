package tenant

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Load makes a tenant from a folder of plain Graph answers, as Graph Explorer
// or `sallyport snapshot` save them, and says what it made of them. An error
// means that no tenant can be made without lying: there are no users, or not
// all Conditional Access policies can be read. What else is missing is assumed
// to be empty where that makes nobody look protected or excluded; the report
// names it.
//
// The report rows of the folder stand, in the listing and as the truth, until a
// person's methods change.
func Load(dir string, seed uint64, clock Clock) (*Tenant, Report, error) {
	var r Report
	files, err := folder(dir, &r)
	if err != nil {
		return nil, r, err
	}
	for _, l := range listings() {
		f := files[l.name]
		if f == nil || len(f.files) == 0 {
			if l.assumed == "" {
				return nil, r, fmt.Errorf("the folder holds no %s.json: without it somebody could look protected or excluded who is not", l.name)
			}
			r.Missing = append(r.Missing, Missing{l.name, l.assumed})
			files[l.name] = &found{}
			continue
		}
		r.Loaded = append(r.Loaded, Loaded{l.name, f.files, len(f.rows) + len(f.keyed)})
		if f.more {
			what := "it ends with a link to a next page that is not there: the listing is not whole"
			if l.name == listPolicies {
				return nil, r, fmt.Errorf("%s: %s", strings.Join(f.files, ", "), what)
			}
			r.Problems = append(r.Problems, Problem{l.name, what})
		}
	}
	load := loader{t: New("Unknown", "unknown.invalid", seed, clock), files: files, report: &r, beside: map[string]string{}}
	if err := load.all(); err != nil {
		return nil, r, err
	}
	return load.t, r, nil
}

type loader struct {
	t      *Tenant
	files  map[string]*found
	report *Report
	beside map[string]string // user id -> manager, where it stood in the row of the user
}

func (l *loader) problem(file, format string, a ...any) {
	l.report.Problems = append(l.report.Problems, Problem{file, fmt.Sprintf(format, a...)})
}

func (l *loader) all() error {
	t := l.t
	l.organization()
	for _, s := range l.files[listSKUs].rows {
		t.skus = append(t.skus, s.row)
	}
	if err := l.users(); err != nil {
		return err
	}
	l.groups()
	for _, s := range l.files[listDefinitions].rows {
		l.put(t.definitions, s)
	}
	for _, s := range l.files[listAssignments].rows {
		l.put(t.assignments, s)
	}
	for _, s := range l.files[listEligibility].rows {
		l.put(t.eligibility, s)
	}
	if err := l.policies(); err != nil {
		return err
	}
	l.settings()
	l.purposes()
	l.managers()
	l.perUserMFA()
	l.people()
	for _, s := range l.files[listRisks].rows {
		l.put(t.risks, s)
	}
	for _, s := range l.files[listRiskyUsers].rows {
		l.put(t.riskyUsers, s)
	}
	l.signIns()
	t.refreshAll()
	t.audits = nil
	return nil
}

// put stores a row by its id, with a made one if it has none.
func (l *loader) put(in *table, s source) {
	delete(s.row, "@odata.context")
	if text(s.row, "id") == "" {
		s.row["id"] = l.t.newID(s.file)
		l.problem(s.file, "%s has no id and was given one", nameOf(s.row))
	}
	in.put(text(s.row, "id"), s.row)
}

func (l *loader) organization() {
	t := l.t
	rows := l.files[listOrganization].rows
	if len(rows) == 0 {
		t.organization["verifiedDomains"] = []any{}
		return
	}
	delete(rows[0].row, "@odata.context")
	if text(rows[0].row, "id") == "" {
		rows[0].row["id"] = t.newID("organization")
	}
	t.organization = rows[0].row
	if len(rows) > 1 {
		l.problem(listOrganization, "%d organisations; the first was taken", len(rows))
	}
}

// users merges rows by id, so that two listings with different columns make one.
func (l *loader) users() error {
	t := l.t
	unknown := 0
	for _, s := range l.files[listUsers].rows {
		u := s.row
		for _, k := range []string{"@odata.context", "@odata.type", "@odata.id"} {
			delete(u, k)
		}
		id := text(u, "id")
		if id == "" {
			upn := text(u, "userPrincipalName")
			known, is := t.userID(upn)
			if !is || upn == "" {
				known = makeID(t.seed, "user called "+strings.ToLower(upn), uint64(t.users.len()))
				l.problem(s.file, "%s has no id and was given one", nameOf(u))
			}
			id = known
			u["id"] = id
		}
		if have, is := t.users.get(id); is {
			for k, v := range u {
				have[k] = v
			}
			u = have
		}
		t.putUser(u)
		p := t.person(id)
		if a := object(u, "signInActivity"); a != nil {
			p.activity, p.shown = a, a
		}
		delete(u, "signInActivity")
		if m := text(u, "manager", "id"); m != "" {
			l.beside[strings.ToLower(id)] = m
		}
		delete(u, "manager")
	}
	if t.users.len() == 0 {
		return errors.New("the folder's users hold no account: nothing can be rehearsed")
	}
	for _, u := range t.users.all() {
		if text(u, "userPrincipalName") == "" {
			l.problem(listUsers, "%s comes without a userPrincipalName", nameOf(u))
		}
		if _, known := truth(u, "accountEnabled"); !known {
			unknown++
		}
	}
	if unknown > 0 {
		l.problem(listUsers, "%d of %d accounts come without accountEnabled: whether they are disabled is not known (select it when saving)", unknown, t.users.len())
	}
	return nil
}

func (l *loader) groups() {
	t := l.t
	for _, s := range l.files[listGroups].rows {
		l.put(t.groups, s)
		g := s.row
		key := strings.ToLower(text(g, "id"))
		members, has := g["members"].([]any)
		delete(g, "members")
		delete(g, "members@odata.context")
		l.owners(s.file, key, g)
		if !has {
			t.closed[key] = true
			l.problem(s.file, "group %s comes without members: it cannot be opened and proves nothing", key)
		}
		for _, m := range members {
			id, isText := m.(string)
			if o, is := m.(Object); is {
				id, isText = text(o, "id"), true
			}
			if !isText || !isID(id) {
				t.closed[key] = true
				l.problem(s.file, "group %s has a member that is no id (%v): it cannot be opened and proves nothing", key, m)
				continue
			}
			t.members[key] = append(t.members[key], id)
		}
	}
}

// owners keeps who owns a group. A group without any says so; one that does not
// say it has owners that cannot be read.
func (l *loader) owners(file, key string, g Object) {
	owners, has := g["owners"].([]any)
	delete(g, "owners")
	delete(g, "owners@odata.context")
	if !has {
		return
	}
	ids := []string{}
	for _, o := range owners {
		id, _ := o.(string)
		if row, is := o.(Object); is {
			id = text(row, "id")
		}
		if !isID(id) {
			l.problem(file, "group %s has an owner that is no id (%v): its owners cannot be read", key, o)
			return
		}
		ids = append(ids, id)
	}
	l.t.owners[key] = ids
}

// policies takes every policy or none: one left out could look like an
// exclusion.
func (l *loader) policies() error {
	t := l.t
	for _, s := range l.files[listPolicies].rows {
		if err := readablePolicy(s.row); err != nil {
			return fmt.Errorf("%s: policy %s cannot be read, and one left out could make somebody look excluded: %w", s.file, nameOf(s.row), err)
		}
		l.put(t.policies, s)
		users := object(s.row, "conditions", "users")
		for _, side := range []string{"include", "exclude"} {
			l.names(s, side+"Users", list(users, side+"Users"), t.users)
			l.names(s, side+"Roles", list(users, side+"Roles"), t.definitions)
			for _, g := range l.names(s, side+"Groups", list(users, side+"Groups"), t.groups) {
				t.putGroup(Object{"id": g, "displayName": nil}, nil)
				t.closed[strings.ToLower(g)] = true
				delete(t.owners, strings.ToLower(g))
			}
		}
	}
	return nil
}

// names reports what stands in a policy's list and is no id of anything, and
// returns the ids that the folder does not know.
func (l *loader) names(s source, property string, ids []string, in *table) (unknown []string) {
	for _, id := range ids {
		if slices.Contains([]string{"All", "None", "GuestsOrExternalUsers"}, id) {
			continue
		}
		_, known := in.get(id)
		switch {
		case !isID(id):
			l.problem(s.file, "policy %s: %s holds %q, which is no object id; it means nobody here", nameOf(s.row), property, id)
		case !known:
			unknown = append(unknown, id)
			l.problem(s.file, "policy %s: %s names %s, which the folder does not know", nameOf(s.row), property, id)
		}
	}
	return unknown
}

// readablePolicy refuses a policy whose scope would be misread.
func readablePolicy(p Object) error {
	if text(p, "state") == "" {
		return errors.New("it has no state")
	}
	for _, path := range [][]string{{"conditions"}, {"conditions", "users"}, {"conditions", "applications"}, {"grantControls"}} {
		if v := at(p, path...); v != nil && object(p, path...) == nil {
			return fmt.Errorf("%s is no object", strings.Join(path, "."))
		}
	}
	users := object(p, "conditions", "users")
	if users == nil && hollow(at(p, "conditions", "clientApplications")) {
		return errors.New("it does not say whom it is about")
	}
	for _, k := range []string{"includeUsers", "excludeUsers", "includeGroups", "excludeGroups", "includeRoles", "excludeRoles"} {
		v := users[k]
		if all, is := v.([]any); v != nil && (!is || len(list(users, k)) != len(all)) {
			return fmt.Errorf("conditions.users.%s is no list of ids", k)
		}
	}
	return nil
}

func (l *loader) settings() {
	t := l.t
	if rows := l.files[listDefaults].rows; len(rows) > 0 {
		on, known := truth(rows[0].row, "isEnabled")
		if !known {
			l.problem(rows[0].file, "it does not say isEnabled; taken as off: nobody looks protected by it")
		}
		t.defaults["isEnabled"] = on
	}
	if rows := l.files[listMethodsPolicy].rows; len(rows) > 0 {
		delete(rows[0].row, "@odata.context")
		t.methodsPolicy = rows[0].row
		return
	}
	for _, c := range objects(t.methodsPolicy, "authenticationMethodConfigurations") {
		if id := text(c, "id"); id == "Sms" || id == "Voice" {
			c["state"] = "disabled"
		}
	}
}

// people gives everybody their methods and their row of the report. Where only
// one of the two is known, the other is made from it.
func (l *loader) people() {
	t := l.t
	listed := l.files[listMethods]
	for _, s := range l.files[listRegistrations].rows {
		delete(s.row, "@odata.context")
		id := text(s.row, "id")
		if _, known := t.users.get(id); !known {
			l.problem(s.file, "the row of %s fits no account of users", nameOf(s.row))
			continue
		}
		p := t.person(id)
		p.given, p.reported, p.reportedAt = s.row, s.row, moment(s.row, "lastUpdatedDateTime")
		if _, own := listed.keyed[strings.ToLower(id)]; own {
			continue
		}
		p.methods = []Object{newMethod(Password, id, t.clock.Now())}
		for _, name := range list(s.row, "methodsRegistered") {
			if kind := kindRegistered(name); kind != "" {
				p.methods = append(p.methods, newMethod(kind, fmt.Sprint(id, name), p.reportedAt))
			}
		}
	}
	for _, id := range sortedKeys(listed.keyed) {
		if _, known := t.users.get(id); !known {
			l.problem(listed.from[id], "the methods of %s fit no account of users", id)
			continue
		}
		methods, ok := methodsIn(listed.keyed[id])
		if !ok {
			l.problem(listed.from[id], "the methods of %s are no list of methods; counted as none", id)
		}
		t.person(id).methods = methods
	}
}

// methodsIn reads a list of methods, bare or as {"value": [...]}.
func methodsIn(v any) ([]Object, bool) {
	if o, is := v.(Object); is {
		v = o["value"]
	}
	array, is := v.([]any)
	var out []Object
	for _, e := range array {
		m, isObject := e.(Object)
		if !isObject || text(m, "@odata.type") == "" {
			is = false
			continue
		}
		out = append(out, m)
	}
	return out, is
}

// codeUnknown is the error code of a loaded sign-in that has none.
const codeUnknown = -1

func (l *loader) signIns() {
	t := l.t
	seen := map[string]bool{}
	rows := l.files[listSignIns].rows
	for i := len(rows) - 1; i >= 0; i-- { // newest first in the file; of two with one id the first stands
		s := rows[i]
		r := &row{id: text(s.row, "id"), userID: text(s.row, "userId"), at: moment(s.row, "createdDateTime"), interactive: true, loaded: s.row}
		r.from = r.at
		if interactive, known := truth(s.row, "isInteractive"); known {
			r.interactive = interactive
		}
		if holds(list(s.row, "signInEventTypes"), "nonInteractiveUser") {
			r.interactive = false
		}
		code, hasCode := number(at(s.row, "status", "errorCode"))
		r.code = int(code)
		r.mfa = text(s.row, "authenticationRequirement") == "multiFactorAuthentication"
		switch {
		case r.id == "" || r.userID == "" || r.at.IsZero():
			l.problem(s.file, "the sign-in %s lacks its id, user or time and was left out", nameOf(s.row))
			continue
		case seen[r.id]:
			continue
		case !hasCode:
			r.code = codeUnknown
			l.problem(s.file, "the sign-in %s does not say whether it succeeded; it counts as no success", nameOf(s.row))
		}
		seen[r.id] = true
		t.log.add(r)
	}
}
