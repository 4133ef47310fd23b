package export_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"unicode/utf16"

	"sallyport/functions/audit/export"
	"sallyport/shared/rollout"
)

// Whoever undoes the one escape finds each cell as it was.
func TestCSVComesBack(t *testing.T) {
	lines := parsed(t, written(t, export.CSV, nasty()...))
	for i, a := range nasty() {
		for j, want := range export.RowOf(rollout.Config{}, a, today).Cells() {
			if got := strings.TrimPrefix(lines[i+1][j], "'"); got != want {
				t.Errorf("account %d, %s: %q, want %q", i, export.Columns()[j], got, want)
			}
		}
	}
}

// parsed reads a CSV as Excel would, and demands that no cell of it is a formula.
func parsed(t testing.TB, text string) [][]string {
	t.Helper()
	text, marked := strings.CutPrefix(text, bom)
	if !marked {
		t.Fatal("no byte order mark: Excel would not read the names")
	}
	// Go's reader alone takes "\r\n" within a cell for "\n"; a return between two
	// marks that no cell of a test has keeps them apart.
	text = strings.ReplaceAll(text, "\r", "\ue000")
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		for i, cell := range line {
			line[i] = strings.ReplaceAll(cell, "\ue000", "\r")
			naked := strings.TrimLeft(line[i], " \u00a0\u3000\u200e\u200f\ufeff\v\f")
			if naked != "" && strings.Contains("=+-@＝＋－＠\t\r\n", string([]rune(naked)[0])) {
				t.Errorf("a spreadsheet takes the cell %q for a formula", line[i])
			}
		}
	}
	return lines
}

// Any name comes back, whole, and is never a formula.
func FuzzCSV(f *testing.F) {
	for _, a := range nasty() {
		f.Add(a.DisplayName)
	}
	f.Add("\ufeff=1")
	f.Add("\xff=")
	f.Add(" \r")
	f.Fuzz(comesBack)
}

// What is longer than a cell is cut, and says so.
func TestLongNames(t *testing.T) {
	for _, name := range []string{
		strings.Repeat("x", 32767), strings.Repeat("x", 32768), "=" + strings.Repeat("x", 32766), "=" + strings.Repeat("x", 32767),
		strings.Repeat("界", 40000), strings.Repeat("😀", 16384), "x" + strings.Repeat("😀", 16383), "=" + strings.Repeat("😀", 16400),
	} {
		comesBack(t, name)
	}
}

func comesBack(t *testing.T, name string) {
	if strings.Contains(name, "\ue000") {
		t.Skip("the reader of this test uses it")
	}
	row := parsed(t, written(t, export.CSV, rollout.Account{DisplayName: name}))[1]
	if len(row) != len(export.Columns()) {
		t.Fatalf("%d cells", len(row))
	}
	cell, want := row[2], strings.ToValidUTF8(name, "\ufffd")
	if units := len(utf16.Encode([]rune(cell))); units > 32767 {
		t.Fatalf("%d characters: Excel takes 32767", units)
	}
	got := strings.TrimPrefix(cell, "'")
	if whole := len(utf16.Encode([]rune(want))) + len(cell) - len(got); whole <= 32767 {
		if got != want {
			t.Errorf("%q came back as %q", name, got)
		}
		return
	}
	kept, wasCut := strings.CutSuffix(got, "… [cut: the JSON export has all of it]")
	if units := len(utf16.Encode([]rune(cell))); !wasCut || !strings.HasPrefix(want, kept) || units < 32766 {
		t.Errorf("a long name came back in %d characters, ending with %q", units, got[max(0, len(got)-50):])
	}
}
