package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sallyport/functions/audit/export"
	"sallyport/infra/local/tenant"
	"sallyport/shared/rollout"
)

// auditArgs are the arguments of an audit of the sample tenant.
func auditArgs(t *testing.T) []string {
	t.Helper()
	plan := sampleFolder(t, func(*tenant.Tenant) {}) // plan FILE --tenant DIR --at DAY
	return append([]string{"audit", "--config", plan[1]}, plan[2:]...)
}

func auditRun(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, strings.NewReader(""), &out, &errs, nil)
	return code, out.String(), errs.String()
}

// One audit in four formats: the same accounts, on stdout and in a file.
func TestAuditFormats(t *testing.T) {
	args := auditArgs(t)
	code, out, errs := auditRun(t, append(args, "--json")...)
	var audit struct {
		Tenant   string
		Accounts []struct {
			ID, UserPrincipalName, Class string
			Enforced                     string
			DemandedBy                   []string
		}
		Coverage struct{ Numerator, Denominator int }
		Findings []struct{ ID, Severity string }
	}
	if err := json.Unmarshal([]byte(out), &audit); err != nil || code != 0 || len(audit.Accounts) == 0 || audit.Coverage.Denominator == 0 || len(audit.Findings) == 0 {
		t.Fatalf("code %d, error %v, %d accounts\n%s", code, err, len(audit.Accounts), errs)
	}
	inJSON := out

	dir := t.TempDir()
	for _, format := range formats() {
		file := filepath.Join(dir, "audit."+format)
		if format != "xlsx" {
			code, out, errs = auditRun(t, append(args, "--format", format)...)
			if code != 0 || out == "" {
				t.Fatalf("%s: code %d\n%s", format, code, errs)
			}
		}
		if code, said, errs := auditRun(t, append(args, "--format", format, "--out", file)...); code != 0 || said != "" {
			t.Fatalf("%s: code %d, stdout %q\n%s", format, code, said, errs)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, error %v, want 0600: it names people", format, info.Mode(), err)
		}
		switch format {
		case "json":
			if string(content) != inJSON || out != inJSON {
				t.Errorf("json: --json, --format json and --out differ")
			}
		case "csv":
			lines, err := csv.NewReader(strings.NewReader(string(content))).ReadAll()
			if err != nil || len(lines) != len(audit.Accounts)+1 || lines[1][0] != audit.Accounts[0].ID || string(content) != out {
				t.Errorf("csv: %d lines, error %v, want %d and those of stdout", len(lines), err, len(audit.Accounts)+1)
			}
		case "xlsx":
			if !bytes.HasPrefix(content, []byte("PK")) {
				t.Errorf("xlsx: %.20q is no workbook", content)
			}
		case "table":
			if string(content) != out {
				t.Error("table: the file is not what stdout was")
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, error %v", left, err)
	}
}

// A person reads it in 100 columns: by class and name, the worst finding first.
func TestAuditTable(t *testing.T) {
	code, out, errs := auditRun(t, auditArgs(t)...)
	if code != 0 {
		t.Fatalf("code %d\n%s", code, errs)
	}
	for line := range strings.Lines(out) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > tableWidth {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	first := map[string]int{}
	for _, severity := range []string{"critical", "warning", "note"} {
		if i := strings.Index(out, "\n"+severity+": "); i >= 0 {
			first[severity] = i
		}
	}
	if len(first) < 2 || first["critical"] > first["warning"] || first["note"] != 0 && first["warning"] > first["note"] {
		t.Errorf("the findings stand at %v, want the worst first", first)
	}

	var shown bytes.Buffer
	table := &auditTable{to: &shown, tenant: "contoso.onmicrosoft.com"}
	long := strings.Repeat("very.", 20) + "long@contoso.com"
	for _, r := range []export.Row{
		{UserPrincipalName: "b@contoso.com", Class: rollout.ClassMember},
		{ID: "aB", UserPrincipalName: "A@contoso.com", Class: rollout.ClassMember},
		{UserPrincipalName: "z\x1b[2J@contoso.com", Class: rollout.ClassEmergency},
		{UserPrincipalName: long, Class: rollout.ClassAdmin},
	} {
		if err := table.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	finding := rollout.Finding{
		Severity: "note", Text: strings.Repeat("word ", 50), Evidence: "policy p1", Remedy: "Do it.",
		Accounts: []string{"Ab", "of-somebody-gone", "3", "4", "5", "6"}, Count: 12,
	}
	if err := table.Close(export.SummaryOf(rollout.Coverage{}, []rollout.Finding{finding, {Severity: "note", Text: "No more is said of it."}}, nil)); err != nil {
		t.Fatal(err)
	}
	if quiet := shown.String()[strings.Index(shown.String(), "note: No more"):]; quiet != "note: No more is said of it.\n" {
		t.Errorf("a finding without accounts says %q", quiet)
	}
	var accounts []string
	for line := range strings.Lines(shown.String()) {
		if strings.Contains(line, "unknown") {
			accounts = append(accounts, strings.Fields(line)[0])
		}
		if n := len([]rune(line)); n > tableWidth+1 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	want := []string{"z?[2J@contoso.com", long[:accountWidth-1] + "…", "A@contoso.com", "b@contoso.com"}
	if diff := cmp.Diff(want, accounts); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	for _, line := range []string{
		"  accounts  A@contoso.com, of-somebody-gone, 3, 4, 5 and 7 more\n", "  evidence  policy p1\n", "  to do     Do it.\n",
	} {
		if !strings.Contains(shown.String(), line) {
			t.Errorf("no line %q in\n%s", line, &shown)
		}
	}
	if got := strings.Count(shown.String(), "word"); got != 50 {
		t.Errorf("%d of 50 words are left:\n%s", got, shown.String())
	}
}

func TestAuditFormatIsChosen(t *testing.T) {
	tests := []struct {
		format, out string
		asJSON      bool
		want, err   string
	}{
		{"", "", false, "table", ""},
		{"", "-", false, "table", ""},
		{"", "", true, "json", ""},
		{"json", "", true, "json", ""},
		{"", "audit.XLSX", false, "xlsx", ""},
		{"", "audit.csv", false, "csv", ""},
		{"", "audit.txt", false, "table", ""},
		{"csv", "audit.txt", false, "csv", ""},
		{"", "audit.xlsx", true, "json", ""},
		{"csv", "", true, "", "choose one"},
		{"pdf", "", false, "", "table, csv, json, xlsx"},
		{"xlsx", "", false, "", "--out audit.xlsx"},
		{"xlsx", "-", false, "", "--out audit.xlsx"},
	}
	for _, test := range tests {
		a := &auditor{format: test.format, out: test.out}
		err := a.choose(test.asJSON)
		if test.err == "" && (err != nil || a.format != test.want) {
			t.Errorf("%+v: format %q, error %v", test, a.format, err)
		}
		if test.err != "" && (exitCode(err) != exitUsage || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%+v: error %v", test, err)
		}
	}
}

// That a file cannot be written is said before the work: here there is no tenant
// to work on.
func TestAuditOutIsProvenFirst(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{filepath.Join(dir, "nowhere", "audit.csv"), filepath.Join(file, "audit.csv"), dir, os.DevNull, "/proc/audit.csv"} {
		code, _, errs := auditRun(t, "audit", "--tenant", "nowhere", "--out", out)
		if code != exitFailed || !strings.Contains(errs, "--out "+out+" cannot be written, choose another file") {
			t.Errorf("--out %s: code %d, %s", out, code, errs)
		}
	}
}

// A run that fails leaves the file that was there, and nothing else.
func TestAuditFailsWithoutATrace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.csv")
	if err := os.WriteFile(file, []byte("of yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := auditRun(t, "audit", "--tenant", "nowhere", "--out", file); code != exitFailed || !strings.Contains(errs, "--tenant nowhere") {
		t.Errorf("code %d, %s", code, errs)
	}
	content, err := os.ReadFile(file)
	entries, listErr := os.ReadDir(dir)
	if err != nil || listErr != nil || string(content) != "of yesterday" || len(entries) != 1 {
		t.Errorf("the file holds %q, error %v; in the folder are %v, error %v", content, err, entries, listErr)
	}
}

// A link is followed: what it points to is replaced, not the link.
func TestOutFileFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.WriteFile(target, []byte("of yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	f, err := newOutFile(link)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("of today")
	if err := f.keep(err); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(target)
	info, linkErr := os.Lstat(link)
	if err != nil || linkErr != nil || string(content) != "of today" || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the target holds %q, error %v; the link is %v, error %v", content, err, info.Mode(), linkErr)
	}
}
