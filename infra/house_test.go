// Package infra_test holds the house to its plan: imports run one way,
//
//	functions -> job, store, graph, mail, config -> rollout -> standard library
package infra_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list` says of a package; Deps are all that it links.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

const (
	graphModels = "github.com/microsoftgraph/"
	azure       = "github.com/Azure/"
	excel       = "github.com/xuri"
)

// rules are what a package may not link, and why. Prefixes of import paths.
var rules = []struct {
	packages, never []string
	why             string
}{
	{
		[]string{"sallyport/functions/webhook"},
		[]string{"sallyport/shared/graph", graphModels, "github.com/microsoft/", azure},
		"webhook must answer in milliseconds, cold too, and has no rights in the tenant: Microsoft drops deliveries to an end point that is late",
	},
	{
		[]string{"sallyport/functions/remind", "sallyport/functions/notify", "sallyport/functions/feedback"},
		[]string{"sallyport/shared/graph", graphModels, azure},
		"only audit, breakglass, monitor, subscriptions and enforce have rights in the tenant (design, Identity and rights)",
	},
	{
		[]string{"sallyport/functions", "sallyport/shared"},
		[]string{"sallyport/infra"},
		"the functions know no local mode: every end point comes from the environment",
	},
	{
		[]string{"sallyport/functions", "sallyport/shared", "sallyport/infra/local"},
		[]string{"sallyport/infra/sallyport/setup", "sallyport/infra/sallyport/envelope"},
		"accounts are made and roles given by a person who is signed in: no Lambda may hold the code or the right, and no rehearsal needs it",
	},
	{
		[]string{"sallyport/functions", "sallyport/shared"},
		[]string{excel},
		"excelize adds 8 MB to a bootstrap, and every cold start would read them: the nightly export is JSON and CSV",
	},
	{
		[]string{"sallyport/shared"},
		[]string{"sallyport/functions"},
		"imports run from the functions to what they share, never back",
	},
}

func TestImportsRunOneWay(t *testing.T) {
	all := list(t)
	for _, r := range rules {
		for _, p := range under(t, all, r.packages...) {
			for _, dep := range p.Deps {
				if within(dep, r.never...) {
					t.Errorf("%s links %s: %s", p.ImportPath, dep, r.why)
				}
			}
		}
	}
}

// TestRulesArePure: a rule that could read a file, a clock or a random number
// could not be rehearsed, and would not give the same answer twice.
func TestRulesArePure(t *testing.T) {
	all := list(t)
	for _, p := range under(t, all, "sallyport/shared/rollout") {
		for _, dep := range p.Deps {
			if q, known := all[dep]; dep != p.ImportPath && (!known || !q.Standard) {
				t.Errorf("%s links %s: the rules import the standard library only, so that they can be read, tested and rehearsed alone", p.ImportPath, dep)
			}
		}
		for _, direct := range p.Imports {
			if direct == "crypto/sha256" {
				continue // a digest is a function of its input: the change log is chained by it
			}
			if within(direct, "os", "net", "log", "io", "math/rand", "crypto", "database", "syscall", "unsafe") {
				t.Errorf("%s imports %s: the rules do no I/O and draw no lots; they are handed what they need and say what should happen", p.ImportPath, direct)
			}
		}
	}
}

// TestAdaptersStandAlone: each adapter knows one technology and the rules. job
// is no adapter of anything, but tells a lease that is held from a table that is
// down, by the store's own error.
func TestAdaptersStandAlone(t *testing.T) {
	all := list(t)
	for adapter, also := range map[string]string{
		"sallyport/shared/store": "", "sallyport/shared/graph": "", "sallyport/shared/mail": "", "sallyport/shared/config": "", "sallyport/shared/archive": "",
		"sallyport/shared/job": "sallyport/shared/store",
	} {
		for _, p := range under(t, all, adapter) {
			for _, dep := range p.Deps {
				if within(dep, "sallyport") && !within(dep, adapter, "sallyport/shared/rollout", also) {
					t.Errorf("%s links %s: adapters never import each other, so that each can be changed and tested alone; what two of them share is a rule", p.ImportPath, dep)
				}
			}
		}
	}
}

// TestNobodyLinksTheRootOfTheGraphSDK: it costs 100 seconds of build and brings
// nothing.
func TestNobodyLinksTheRootOfTheGraphSDK(t *testing.T) {
	const root = "github.com/microsoftgraph/msgraph-sdk-go"
	for _, p := range list(t) {
		if slices.Contains(p.Deps, root) && within(p.ImportPath, "sallyport") {
			t.Errorf("%s links %s: import the sub-packages that are used", p.ImportPath, root)
		}
	}
}

// TestOneRoomSetsAccountsUp: who else imports it could do so without asking the
// person at the keyboard.
func TestOneRoomSetsAccountsUp(t *testing.T) {
	const room, command = "sallyport/infra/sallyport/setup", "sallyport/infra/sallyport"
	all := list(t)
	if !slices.Contains(all[command].Imports, room) {
		t.Fatalf("%s does not import %s: nothing would be proven", command, room)
	}
	for _, p := range all {
		if within(p.ImportPath, "sallyport") && p.ImportPath != command && slices.Contains(p.Imports, room) {
			t.Errorf("%s imports %s: it is for %s alone", p.ImportPath, room, command)
		}
	}
}

// TestOneRoomKnowsExcel: workbooks are written in one package, so that the next
// program that has no need of them does not link them by the way.
func TestOneRoomKnowsExcel(t *testing.T) {
	const room = "sallyport/infra/sallyport/sheet"
	all := list(t)
	if !slices.Contains(all[room].Deps, excel+"/excelize/v2") {
		t.Fatalf("%s does not link %s: nothing would be proven", room, excel)
	}
	for _, p := range all {
		for _, direct := range p.Imports {
			if within(p.ImportPath, "sallyport") && p.ImportPath != room && within(direct, excel) {
				t.Errorf("%s imports %s: workbooks are the matter of %s", p.ImportPath, direct, room)
			}
		}
	}
}

// TestEveryLambdaKnowsTheTimeZones: where a Lambda runs there is no database of
// them, and a tenant whose zone does not load would be taken to be in UTC.
func TestEveryLambdaKnowsTheTimeZones(t *testing.T) {
	for _, p := range under(t, list(t), "sallyport/functions") {
		if strings.HasSuffix(p.ImportPath, "/lambda") && slices.Contains(p.Deps, "sallyport/shared/rollout") && !slices.Contains(p.Deps, "time/tzdata") {
			t.Errorf("%s does not link time/tzdata: the rules would count days in UTC", p.ImportPath)
		}
	}
}

// list asks the go command for every package of the house and all they link.
func list(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-json=ImportPath,Imports,Deps,Standard", "sallyport/...")
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, failed.Bytes())
	}
	all := map[string]pkg{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all[p.ImportPath] = p
	}
	if p := all["sallyport/shared/rollout"]; !slices.Contains(p.Deps, "time") {
		t.Fatalf("go list says that shared/rollout links %v: nothing would be proven", p.Deps)
	}
	return all
}

// under are the packages of those folders. A folder that is not built yet breaks
// no rule; it is named, so that a rule for a folder that was renamed is noticed.
func under(t *testing.T, all map[string]pkg, folders ...string) (found []pkg) {
	t.Helper()
	for _, folder := range folders {
		before := len(found)
		for _, p := range all {
			if within(p.ImportPath, folder) {
				found = append(found, p)
			}
		}
		if len(found) == before {
			t.Logf("there is no package under %s", folder)
		}
	}
	return found
}

// within: the path is that of one of the folders, or lies in it.
func within(path string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return path == f || strings.HasPrefix(path, strings.TrimSuffix(f, "/")+"/")
	})
}
