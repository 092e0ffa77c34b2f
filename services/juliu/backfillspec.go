package juliu

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"juliu/pkg/jushuitan"
	"juliu/services/extractor"
)

// maxNumbers is how long all order numbers of a job may be together, in bytes: a job is one message of NATS, 1 MiB at most by default.
const maxNumbers = 512 << 10

// spec is what the flags ask for, checked. Every error is a usageError.
func (f backfillFlags) spec(now time.Time) (extractor.Backfill, error) {
	spec := extractor.Backfill{Status: f.status, Archive: f.archive}
	var err error
	if f.soIDs != "" {
		if spec.SoIDs, err = orderNumbers(f.soIDs); err != nil {
			return spec, err
		}
	}
	if f.shop != "" {
		if spec.ShopID, err = shopID(f.shop); err != nil {
			return spec, err
		}
	}
	switch {
	case len(spec.SoIDs) > 0 && f.from+f.to != "":
		return spec, usageError{"--so-ids finds orders whenever they were modified: leave out --from and --to"}
	case len(spec.SoIDs) > 0:
	case f.from == "":
		return spec, usageError{"say what to read: --from, and --to unless it is now, for a window of modification time, or --so-ids for orders by number"}
	default:
		if spec.From, err = instant("--from", f.from, now); err != nil {
			return spec, err
		}
		if spec.To, err = instant("--to", cmp.Or(f.to, "0s"), now); err != nil {
			return spec, err
		}
	}
	if err := spec.Validate(now); err != nil {
		return spec, usageError{fmt.Sprintf("cannot backfill: %v; 'juliu backfill --help' has examples", err)}
	}
	return spec, nil
}

// instant reads RFC 3339, a date, which begins at midnight of +08:00, or how long ago.
func instant(flag, text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	if day, err := jushuitan.ParseTime(text + " 00:00:00"); err == nil {
		return day.Time, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.UTC().Add(-ago), nil
	}
	return time.Time{}, usageError{flag + " takes a time with its zone (2026-01-31T09:30:00+08:00), a day of +08:00 (2026-01-31) or how long ago (72h)"}
}

func shopID(text string) (*int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return nil, usageError{"--shop takes a shop_id, digits only, as in the SHOP column of 'juliu read'"}
	}
	return &id, nil
}

// orderNumbers reads a list, or with @ a file of them, parted by commas, spaces or lines. Each is taken once.
func orderNumbers(text string) ([]string, error) {
	if name, ok := strings.CutPrefix(text, "@"); ok {
		data, err := os.ReadFile(name) //nolint:gosec // the operator's own file
		if err != nil {
			return nil, usageError{fmt.Sprintf("--so-ids: read the order numbers: %v", err)}
		}
		text = string(data)
	}
	numbers := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	switch {
	case len(numbers) == 0:
		return nil, usageError{"--so-ids holds no order number: write a,b,c or @file with one a line"}
	case len(strings.Join(numbers, ",")) > maxNumbers:
		return nil, usageError{fmt.Sprintf("--so-ids holds %d order numbers, too many for one job: split them", len(numbers))}
	}
	return numbers, nil
}
