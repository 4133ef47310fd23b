// Package sheet writes an audit as an Excel workbook. It is a room of its own
// because what it imports adds 8 MB to a program: the operator's command may
// link it, a function never.
package sheet

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"sallyport/functions/audit/export"
	"sallyport/shared/rollout"
)

// The sheets of the workbook.
const (
	Accounts = "Accounts"
	Coverage = "Coverage"
	Findings = "Findings"
)

// workbook is written from the top down: excelize keeps no more than 16 MB of a
// sheet in memory and the rest in a file of its own.
type workbook struct {
	to    io.Writer
	file  *excelize.File
	sheet *excelize.StreamWriter // the one being written
	row   int                    // the last one written to it
	bold  int
	wide  int // columns of the sheet
	err   error
}

// XLSX writes an audit as a workbook, which appears below w when it is closed:
// a zip file has its table of contents at the end.
func XLSX(w io.Writer) export.Writer {
	b := &workbook{to: w, file: excelize.NewFile()}
	b.bold, b.err = b.file.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if b.err == nil {
		b.err = b.file.SetSheetName("Sheet1", Accounts)
	}
	b.open(Accounts, export.Columns()...)
	return b
}

// Write implements [export.Writer].
func (b *workbook) Write(r export.Row) error {
	cells := r.Cells()
	values := make([]any, len(cells))
	for i, cell := range cells {
		values[i] = cell
	}
	b.line(values...)
	return b.wrap()
}

// Close implements [export.Writer].
func (b *workbook) Close(s export.Summary) error {
	b.finish(Accounts)

	b.open(Coverage, "what", "accounts")
	b.line("capable", s.Coverage.Numerator)
	b.line("all who count", s.Coverage.Denominator)
	b.line("percent", s.Coverage.Percent)
	for _, class := range rollout.Classes() {
		b.line(string(class), s.Coverage.PerClass[class])
	}
	b.finish(Coverage)

	b.open(Findings, "severity", "id", "text", "count", "remedy", "evidence", "accounts", "firstSeen", "lastSeen", "goneAt")
	for _, f := range s.Findings {
		b.line(f.Severity, f.ID, f.Text, f.Count, f.Remedy, f.Evidence, strings.Join(f.Accounts, "; "), at(f.FirstSeen), at(f.LastSeen), at(f.GoneAt))
	}
	for _, m := range s.Missing {
		b.line("not known", m.Listing, m.Reason, nil, m.Consequence, nil, nil, nil, nil, nil)
	}
	b.finish(Findings)

	if b.err == nil {
		b.err = b.file.Write(b.to)
	}
	if err := b.file.Close(); b.err == nil { // the files it kept the sheets in
		b.err = err
	}
	return b.wrap()
}

// open begins a sheet with its header, which stays in sight.
func (b *workbook) open(name string, header ...string) {
	b.try(func() (err error) { _, err = b.file.NewSheet(name); return err })
	b.try(func() (err error) { b.sheet, err = b.file.NewStreamWriter(name); return err })
	b.try(func() error { return b.sheet.SetColWidth(1, len(header), 18) })
	b.try(func() error {
		return b.sheet.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
	})
	b.row, b.wide = 0, len(header)
	cells := make([]any, len(header))
	for i, title := range header {
		cells[i] = excelize.Cell{StyleID: b.bold, Value: title}
	}
	b.line(cells...)
}

// line writes a row. excelize stores a text as text: no program takes it for a
// formula, whatever it begins with, nor "0042" for a number.
func (b *workbook) line(cells ...any) {
	b.try(func() error {
		for i, cell := range cells {
			if text, is := cell.(string); is && text != "" {
				cells[i] = export.Short(text)
			} else if is {
				cells[i] = nil
			}
		}
		b.row++
		first, err := excelize.CoordinatesToCellName(1, b.row)
		if err != nil {
			return err
		}
		return b.sheet.SetRow(first, cells)
	})
}

// finish ends a sheet, with a filter over each column.
func (b *workbook) finish(name string) {
	b.try(func() error {
		last, err := excelize.CoordinatesToCellName(b.wide, b.row)
		if err != nil {
			return err
		}
		return b.sheet.AddTable(&excelize.Table{Range: "A1:" + last, Name: name + "Table", StyleName: "TableStyleLight1"})
	})
	b.try(func() error { return b.sheet.Flush() })
}

// try does a step, unless one before it failed.
func (b *workbook) try(step func() error) {
	if b.err == nil {
		b.err = step()
	}
}

func (b *workbook) wrap() error {
	if b.err != nil {
		return fmt.Errorf("write the audit as XLSX: %w", b.err)
	}
	return nil
}

func at(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339)
}
