package export

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// byteOrderMark tells Excel that a file is UTF-8. Without it, it takes the
// machine's code page, and no name from Tokyo survives.
const byteOrderMark = "\ufeff"

type csvWriter struct{ to *csv.Writer }

// CSV writes the accounts as a sheet that Excel and LibreOffice open as it is:
// UTF-8 with a byte order mark, commas, the header first, RFC 4180. There is no
// place in it for the summary.
func CSV(w io.Writer) Writer {
	// The buffer keeps the first error and says it again at every write.
	buffer := bufio.NewWriter(w)
	_, _ = buffer.WriteString(byteOrderMark)
	c := csvWriter{csv.NewWriter(buffer)}
	_ = c.to.Write(Columns())
	return c
}

// Write implements [Writer].
func (c csvWriter) Write(r Row) error {
	cells := r.Cells()
	for i, cell := range cells {
		cells[i] = safe(cell)
	}
	return wrapCSV(c.to.Write(cells))
}

// safe is the cell as a sheet may hold it.
func safe(cell string) string { return Short(defuse(strings.ToValidUTF8(cell, "\ufffd"))) }

// WriteSheet writes other rows than accounts in the same way.
func WriteSheet(w io.Writer, header []string, rows [][]string) error {
	buffer := bufio.NewWriter(w)
	_, _ = buffer.WriteString(byteOrderMark)
	to := csv.NewWriter(buffer)
	_ = to.Write(header)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = safe(cell)
		}
		_ = to.Write(cells)
	}
	to.Flush() // the writers below keep the first error and say it again
	if err := to.Error(); err != nil {
		return fmt.Errorf("write the sheet: %w", err)
	}
	if err := buffer.Flush(); err != nil {
		return fmt.Errorf("write the sheet: %w", err)
	}
	return nil
}

// Close implements [Writer].
func (c csvWriter) Close(Summary) error {
	c.to.Flush()
	return wrapCSV(c.to.Error())
}

func wrapCSV(err error) error {
	if err != nil {
		return fmt.Errorf("write the accounts as CSV: %w", err)
	}
	return nil
}

// defuse keeps a cell from being run: whoever may choose his own display name
// would otherwise have a formula in the administrator's Excel. A spreadsheet
// takes a cell for a formula by its first character, some of them after white
// space, and in East Asian editions in full width too. Every cell is looked at,
// ids too: none of ours begins so, but who says that of tomorrow's?
//
// An apostrophe before it makes it text. To undo it, take one leading apostrophe
// away; a cell that has one of its own gets a second, so that this is exact.
// Source: https://owasp.org/www-community/attacks/CSV_Injection
func defuse(cell string) string {
	rest := strings.TrimLeftFunc(cell, blank)
	first, _ := utf8.DecodeRuneInString(rest)
	formula := strings.ContainsRune("=+-@＝＋－＠", first)
	// A tab or a line break before the text may push it into a cell of its own.
	pushed := strings.ContainsFunc(cell[:len(cell)-len(rest)], unicode.IsControl)
	if formula || pushed || strings.HasPrefix(cell, "'") {
		return "'" + cell
	}
	return cell
}

// blank is what may stand before a formula without being seen.
func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// maxCell is what Excel holds in one cell, counted as it does, in UTF-16. What
// is longer it would carry over into the next line of the sheet.
// Source: https://support.microsoft.com/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3
const maxCell = 32767

const cut = "… [cut: the JSON export has all of it]"

// Short is the cell, or as much of it as fits into a sheet, and says so.
func Short(cell string) string {
	if units(cell) <= maxCell {
		return cell
	}
	left, end := maxCell-units(cut), 0
	for {
		r, size := utf8.DecodeRuneInString(cell[end:])
		if left -= utf16.RuneLen(r); left < 0 {
			return cell[:end] + cut
		}
		end += size
	}
}

// units is the length of a text in UTF-16.
func units(text string) (n int) {
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}
