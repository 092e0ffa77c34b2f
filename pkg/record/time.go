package record

import (
	"strings"
	"time"
)

// The vendor writes local times without an offset, in Beijing time whatever the merchant's zone: a fixed +08:00, since China has
// had no summer time in the platform's life.
const vendorOffset = 8 * 60 * 60

// instant reads a vendor's date, "2006-01-02", or time, "2006-01-02 15:04:05" with 0 to 7 digits of a fraction, and returns it in
// UTC. A zero date, which the vendor writes for "none", is the zero time.
func instant(s string) (time.Time, bool) {
	const day, second, maxFraction = "2006-01-02", "2006-01-02 15:04:05", 7
	if strings.HasPrefix(s, "0001-01-01") || strings.HasPrefix(s, "0000-00-00") {
		return time.Time{}, true
	}
	layout := day
	if len(s) > len(day) {
		layout = second
		if s[len(day)] == 'T' {
			layout = "2006-01-02T15:04:05"
		}
	}
	// time.Parse takes a fraction that the layout lacks, also one behind a comma and one too fine for the vendor's clock.
	if strings.Contains(s, ",") || len(s) > len(second)+1+maxFraction {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(layout, s, time.FixedZone("", vendorOffset))
	return t.UTC(), err == nil && t.UTC().Year() > 0 // protobuf knows no year 0
}
