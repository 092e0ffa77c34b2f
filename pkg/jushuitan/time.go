package jushuitan

import (
	"encoding/json"
	"fmt"
	"time"
)

// timeLayout is how the API writes an instant: no zone, whole seconds.
const timeLayout = time.DateTime

// Time is an instant as the API writes it: "2006-01-02 15:04:05" in the fixed zone UTC+8, whatever the zone of the process or of the
// wrapped time. A fraction of a second is cut off. The zero Time is left out of a query by omitzero, and is null elsewhere.
//
// Source: the vendor's tables write times without an offset; every known client reads them as Beijing time.
type Time struct{ time.Time }

// At wraps t.
func At(t time.Time) Time { return Time{Time: t} }

// ParseTime reads "2006-01-02 15:04:05" in UTC+8, with up to nine digits of fraction, as other endpoints of the API answer. The result
// is in UTC. Any other text is an error.
func ParseTime(text string) (Time, error) {
	t, err := time.ParseInLocation(timeLayout, text, zone())
	if err != nil {
		return Time{}, fmt.Errorf("parse time, want yyyy-MM-dd HH:mm:ss: %w", err)
	}
	return At(t.UTC()), nil
}

// String is the instant in the API's form.
func (t Time) String() string { return t.In(zone()).Format(timeLayout) }

// MarshalJSON is the instant in the API's form, or null for the zero Time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.String() + `"`), nil
}

// UnmarshalJSON reads what MarshalJSON writes; null and "" are the zero Time.
func (t *Time) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("parse time, want a string: %w", err)
	}
	if text == "" {
		*t = Time{}
		return nil
	}
	parsed, err := ParseTime(text)
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// zone is fixed, not Asia/Shanghai: no zone data is needed and the summer times of 1986 to 1991 do not apply.
func zone() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }
