package rehearsal

import "io"

// WriteReport writes the report page.
func (t Timeline) WriteReport(w io.Writer) error {
	return nil
}
