package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"sallyport/shared/rollout"
)

type jsonWriter struct {
	to    io.Writer
	rows  int
	line  bytes.Buffer
	coder *json.Encoder
	err   error
}

// JSON writes one object: {"tenant", "accounts": [...], "coverage", "findings",
// "missing"}, one account a line. It is the whole audit, as it is.
func JSON(w io.Writer, tenant rollout.TenantID) Writer {
	j := &jsonWriter{to: w}
	j.coder = json.NewEncoder(&j.line)
	j.coder.SetEscapeHTML(false) // it is no page, and "<" in a name is "<"
	j.write("{\"tenant\":", tenant, ",\n\"accounts\":[")
	return j
}

// write writes a value between two pieces of text.
func (j *jsonWriter) write(before string, value any, after string) {
	if j.err != nil {
		return
	}
	j.line.Reset()
	j.line.WriteString(before)
	if j.err = j.coder.Encode(value); j.err != nil {
		return
	}
	j.line.Truncate(j.line.Len() - 1) // the encoder ends a line, and the next comma would begin one
	j.line.WriteString(after)
	_, j.err = j.to.Write(j.line.Bytes())
}

// Write implements [Writer].
func (j *jsonWriter) Write(r Row) error {
	before := ",\n"
	if j.rows == 0 {
		before = "\n"
	}
	j.rows++
	j.write(before, r, "")
	return j.wrap()
}

// Close implements [Writer].
func (j *jsonWriter) Close(s Summary) error {
	j.write("],\n\"coverage\":", s.Coverage, "")
	j.write(",\n\"findings\":", s.Findings, "")
	j.write(",\n\"missing\":", s.Missing, "}\n")
	return j.wrap()
}

func (j *jsonWriter) wrap() error {
	if j.err != nil {
		return fmt.Errorf("write the audit as JSON: %w", j.err)
	}
	return nil
}
