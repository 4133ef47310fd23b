// Package raw reads pieces of Graph's JSON as Graph wrote them: strings stay
// strings, and what is missing stays unknown. It stands apart from the adapter
// so that it can be fuzzed without compiling Microsoft's models.
package raw

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"sallyport/shared/rollout"
)

// Bool is a bool that may be null or missing. Missing data is never a pass.
type Bool struct{ present, known, value bool }

// UnmarshalJSON reads true, false or null.
func (t *Bool) UnmarshalJSON(b []byte) error {
	*t = Bool{present: true}
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	t.known = true
	return json.Unmarshal(b, &t.value)
}

// Fact is Unknown unless Graph said true or false.
func (t Bool) Fact() rollout.Fact {
	if !t.known {
		return rollout.Unknown
	}
	return rollout.FactOf(t.value)
}

// FactNullIsNo is for properties where Graph writes null for false.
func (t Bool) FactNullIsNo() rollout.Fact {
	if t.present && !t.known {
		return rollout.No
	}
	return t.Fact()
}

// Time is a point in time as Graph writes it: up to seven decimals, with Z,
// with an offset, or (in places) with neither, then UTC. Null, empty and the
// year 1 are zero: not known.
type Time struct{ time.Time }

// UnmarshalJSON reads the time into UTC.
func (i *Time) UnmarshalJSON(b []byte) error {
	i.Time = time.Time{}
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s == nil || *s == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, *s)
	if err != nil {
		if t, err = time.Parse("2006-01-02T15:04:05", *s); err != nil {
			return fmt.Errorf("%q is no time", *s)
		}
	}
	if t.Year() > 1 {
		i.Time = t.UTC()
	}
	return nil
}
