package config

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// MaxBytes is the largest rollout.yaml that is read. It is far more than a
// rollout needs, and what is read from it still fits one item of the table.
const MaxBytes = 256 << 10

// decodeText returns the file as UTF-8, however an editor saved it: UTF-8 with
// or without a byte order mark, or UTF-16.
func decodeText(data []byte, report *report) (string, bool) {
	if len(data) > MaxBytes {
		report.failWith("", "a rollout.yaml of at most 256 KiB", "", "the file has %d KiB, which is no rollout.yaml", len(data)>>10)
		return "", false
	}
	decoder := unicode.BOMOverride(unicode.UTF8.NewDecoder())
	switch {
	case len(data) > 1 && data[0] == 0 && data[1] != 0:
		decoder = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder()
	case len(data) > 1 && data[0] != 0 && data[1] == 0:
		decoder = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder()
	}
	text, _, err := transform.Bytes(decoder, data)
	if bad := bytes.IndexRune(text, utf8.RuneError); err != nil || bad >= 0 {
		before := text[:max(bad, 0)]
		report.places[""] = place{
			line:   bytes.Count(before, []byte("\n")) + 1,
			column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1,
		}
		report.failWith("", "a text file saved as UTF-8", "", "this is no readable text: the file is damaged, or saved in an old encoding")
		return "", false
	}
	return string(text), true
}
