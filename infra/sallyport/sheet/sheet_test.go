package sheet_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"sallyport/functions/audit/export"
	"sallyport/infra/sallyport/sheet"
	"sallyport/shared/rollout"
)

var names = []string{
	"田中 太郎", "عبد الله", `=HYPERLINK("http://attacker.example","click")`, "@SUM(1)", "+44 20 7946 0000", "-", "  =1+1 ", "＝１",
	"\tcell", "two\nlines", "two\r\nlines", `said "hi" & <b>`, "'quoted'", "_x0041_", "0042", "1e5", "TRUE", "",
}

func workbook(t *testing.T, accounts ...rollout.Account) []byte {
	t.Helper()
	var out bytes.Buffer
	w := sheet.XLSX(&out)
	for _, a := range accounts {
		if err := w.Write(export.RowOf(rollout.Config{}, a, rollout.Date{})); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(export.SummaryOf(
		rollout.Coverage{Capable: 1, All: 2, Classes: map[rollout.Class]int{rollout.ClassMember: 2}},
		[]rollout.Finding{{ID: "note", Severity: "note", Text: "=1", Count: 7}, {ID: "bad", Severity: "critical", Accounts: []string{"a", "b"}}},
		[]rollout.MissingData{{Listing: "signIns", Reason: "no licence", Consequence: "nobody knows"}},
	)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t *testing.T, content []byte) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// rows are the cells of a sheet, each row as long as the header.
func rows(t *testing.T, f *excelize.File, name string) [][]string {
	t.Helper()
	all, err := f.GetRows(name)
	if err != nil || len(all) == 0 {
		t.Fatalf("sheet %s: %v, error %v", name, all, err)
	}
	for i := range all {
		for len(all[i]) < len(all[0]) {
			all[i] = append(all[i], "")
		}
	}
	return all
}

// What is opened again is what was written: every name, as it is.
func TestAccounts(t *testing.T) {
	var accounts []rollout.Account
	want := [][]string{export.Columns()}
	for _, name := range names {
		a := rollout.Account{ID: "id", DisplayName: name, Department: name, Class: rollout.ClassMember, Methods: []string{name, name}}
		accounts = append(accounts, a)
		want = append(want, export.RowOf(rollout.Config{}, a, rollout.Date{}).Cells())
	}
	f := open(t, workbook(t, accounts...))
	got := rows(t, f, sheet.Accounts)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
	if diff := cmp.Diff([]string{sheet.Accounts, sheet.Coverage, sheet.Findings}, f.GetSheetList()); diff != "" {
		t.Errorf("sheets (-want +got):\n%s", diff)
	}
}

// Every text is text: no formula, and no number that Excel would make of it.
func TestNothingIsAFormula(t *testing.T) {
	content := workbook(t, rollout.Account{ID: "=1", DisplayName: "=1", Department: "0042"})
	f := open(t, content)
	for _, name := range f.GetSheetList() {
		for i, row := range rows(t, f, name) {
			for j, text := range row {
				cell, _ := excelize.CoordinatesToCellName(j+1, i+1)
				if formula, err := f.GetCellFormula(name, cell); err != nil || formula != "" {
					t.Errorf("%s %s %q: formula %q, error %v", name, cell, text, formula, err)
				}
				if kind, err := f.GetCellType(name, cell); strings.HasPrefix(text, "=") || text == "0042" {
					if err != nil || kind != excelize.CellTypeInlineString {
						t.Errorf("%s %s %q is stored as type %v, error %v, want text", name, cell, text, kind, err)
					}
				}
			}
		}
	}
	if strings.Contains(part(t, content, "xl/worksheets/sheet1.xml"), "<f>") {
		t.Error("the sheet of the accounts has a formula")
	}
}

// part is one file of the workbook, as Excel reads it.
func part(t *testing.T, content []byte, name string) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	file, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The header stays in sight and filters, however many accounts there are.
func TestHeaderIsFrozenAndFilters(t *testing.T) {
	for _, accounts := range [][]rollout.Account{nil, {{ID: "1"}}, {{ID: "1"}, {ID: "2"}, {ID: "3"}}} {
		content := workbook(t, accounts...)
		f := open(t, content)
		panes, err := f.GetPanes(sheet.Accounts)
		if err != nil || !panes.Freeze || panes.YSplit != 1 {
			t.Errorf("%d accounts: panes %+v, error %v", len(accounts), panes, err)
		}
		tables, err := f.GetTables(sheet.Accounts)
		if err != nil || len(tables) != 1 {
			t.Fatalf("%d accounts: tables %+v, error %v", len(accounts), tables, err)
		}
		last, _ := excelize.CoordinatesToCellName(len(export.Columns()), max(len(accounts)+1, 2))
		if tables[0].Range != "A1:"+last || !strings.Contains(part(t, content, "xl/tables/table1.xml"), `<autoFilter ref="A1:`+last+`"`) {
			t.Errorf("%d accounts: the filter covers %s, want A1:%s", len(accounts), tables[0].Range, last)
		}
	}
}

func TestCoverageAndFindings(t *testing.T) {
	f := open(t, workbook(t))
	coverage := rows(t, f, sheet.Coverage)
	for _, want := range [][]string{{"capable", "1"}, {"all who count", "2"}, {"percent", "50"}, {"member", "2"}, {"guest", "0"}} {
		if !slices.ContainsFunc(coverage, func(row []string) bool { return slices.Equal(row, want) }) {
			t.Errorf("coverage %q lacks %q", coverage, want)
		}
	}
	want := [][]string{
		{"severity", "id", "text", "count", "remedy", "evidence", "accounts", "firstSeen", "lastSeen", "goneAt"},
		{"critical", "bad", "", "0", "", "", "a; b", "", "", ""},
		{"note", "note", "=1", "7", "", "", "", "", "", ""},
		{"not known", "signIns", "no licence", "", "nobody knows", "", "", "", "", ""},
	}
	if diff := cmp.Diff(want, rows(t, f, sheet.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// What the format cannot hold does not break it.
func TestWhatXMLCannotHold(t *testing.T) {
	for name, want := range map[string]string{
		"a\x00b\x1bc":                 "a\ufffdb\ufffdc",
		"a\uffffb":                    "a\ufffdb",
		"\xff":                        "\ufffd",
		strings.Repeat("界", 32767):    strings.Repeat("界", 32767),
		strings.Repeat("long ", 8000): "long ",
	} {
		f := open(t, workbook(t, rollout.Account{DisplayName: name}))
		got := rows(t, f, sheet.Accounts)[1][slices.Index(export.Columns(), "displayName")]
		if cut := len(name) > 32767 && want == "long "; cut && (len([]rune(got)) > 32767 || !strings.HasSuffix(got, "has all of it]")) || !cut && got != want {
			t.Errorf("%.20q came back as %.20q (%d characters), want %.20q", name, got, len([]rune(got)), want)
		}
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestFullDisk(t *testing.T) {
	if err := sheet.XLSX(full{}).Close(export.Summary{}); !errors.Is(err, errFull) {
		t.Errorf("error %v, want that of the disk", err)
	}
}
