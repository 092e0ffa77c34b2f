package extractor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"juliu/pkg/control"
)

// BackfillKind is the kind of jobs whose spec is a Backfill.
const BackfillKind = "backfill"

// Backfill is what a backfill reads again: a window of modification time, or orders by number.
type Backfill struct {
	// From and To bound the modification time, To excluded. Either they are given or SoIDs.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// SoIDs are online order numbers.
	SoIDs []string `json:"so_ids,omitempty"`
	// ShopID reads one shop alone; nil reads what the extractor reads.
	ShopID *int64 `json:"shop_id,omitempty"`
	// Status stores orders that have come as far as this one of the vendor's statuses, or "all"; "" is what the extractor stores.
	Status string `json:"status,omitempty"`
	// Archive reads the archived orders in place of the current ones.
	Archive bool `json:"archive,omitempty"`
}

// Validate says what is wrong with it, for people.
func (b Backfill) Validate(now time.Time) error {
	switch {
	case b.From.IsZero() != b.To.IsZero():
		return errors.New("give both the begin and the end of the window")
	case b.From.IsZero() == (len(b.SoIDs) == 0):
		return errors.New("give a window of time or order numbers, one of both")
	case !b.From.IsZero() && !b.From.Before(b.To):
		return errors.New("the window's begin must lie before its end")
	case !b.From.IsZero() && b.From.Before(time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)):
		return errors.New("the window's begin lies before the year 1990")
	case b.To.After(now.Add(time.Minute)):
		return errors.New("the window's end lies in the future")
	case b.Status != "" && !slices.Contains(Statuses(), b.Status):
		return fmt.Errorf("status %q is none of %s", b.Status, strings.Join(Statuses(), ", "))
	}
	return nil
}

// decodeSpec reads what a job asks for.
func (b *Backfiller) decodeSpec(job control.Job) (Backfill, error) {
	var spec Backfill
	if err := json.Unmarshal(job.Spec, &spec); err != nil {
		return spec, fmt.Errorf("read what job %s asks for: %w", job.ID, err)
	}
	return spec, spec.Validate(b.now())
}
