package extractor

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"juliu/pkg/jushuitan"
	"juliu/pkg/record"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// Resource is one kind of object that the extractor reads: a row of the table below.
type Resource struct {
	// Schema says how a row becomes a record.
	Schema record.Schema
	// Endpoint is the vendor's query.
	Endpoint jushuitan.Endpoint
	// Query is the business part of one page's request.
	Query func(a Ask) any
	// Status is where a record is in its life, in the vendor's word.
	Status func(r record.Record) string
}

// Ask is what one page is asked for: a window, a row version to go on from, or orders by name.
type Ask struct {
	Filter Filter
	// Window is asked for unless it is empty.
	Window Window
	// StartTS walks by row version when it is not 0.
	StartTS int64
	// Keys are the records' keys, at most 50; SoIDs are online order numbers, at most 50.
	Keys, SoIDs []string
	// Archive asks for archived rows.
	Archive bool
	// Status asks for rows of one of the vendor's statuses alone; "" for all, whatever the filter stores of them.
	Status string
	// Page counts from 1; Size is the rows a page.
	Page, Size int
}

// String names what is asked for, without values that identify orders.
func (a Ask) String() string {
	switch {
	case a.Window.span() > 0:
		return a.Window.String()
	case a.StartTS != 0:
		return fmt.Sprintf("row versions from %d", a.StartTS)
	default:
		return fmt.Sprintf("%d orders by number", len(a.Keys)+len(a.SoIDs))
	}
}

// Filter narrows what is stored.
type Filter struct {
	// Status stores orders from the moment that they have come as far as this one of the vendor's statuses; "" stores all.
	Status string
	// ShopID reads one shop alone; nil reads all.
	ShopID *int64
	// OfflineShops with ShopID 0 reads the offline shops' orders.
	OfflineShops bool
}

// String is the filter in a form to compare, e.g. "status=Confirmed shop=4711".
func (f Filter) String() string {
	text := "status=" + cmp.Or(f.Status, allStatuses)
	if f.ShopID != nil {
		text += fmt.Sprintf(" shop=%d", *f.ShopID)
	}
	if f.OfflineShops {
		text += " offline"
	}
	return text
}

// allStatuses is the choice of every order.
const allStatuses = "all"

// Statuses are what can be chosen: all, or one of the vendor's statuses.
func Statuses() []string {
	return []string{allStatuses, "WaitConfirm", "OuterConfirming", "Confirmed", "Cancelled", "Archive", "Delete"}
}

// wants tells whether an order of a status has come as far as the filter asks. All statuses are read and this is decided here: a query for
// Confirmed alone would never show that a shipped order was cancelled or archived later. A status that is not known is wanted.
func (f Filter) wants(status string) bool {
	switch {
	case f.Status == "", f.Status == "WaitConfirm", f.Status == status:
		return true
	case status == "Delete": // voided before it was shipped
		return false
	}
	stage, known := stageOf(status)
	asked, _ := stageOf(f.Status)
	return !known || asked < stage && asked < ended
}

// ended is the stage of an order to which nothing more happens, but that a shipped one is cancelled or archived.
const ended = 3

// stageOf is how far a status is from a new order: 待出库, 外部发货中, 已出库, and the ends.
func stageOf(status string) (int, bool) {
	switch status {
	case "WaitConfirm":
		return 0, true
	case "OuterConfirming":
		return 1, true
	case "Confirmed":
		return 2, true
	case "Cancelled", "Archive", "Delete":
		return ended, true
	default:
		return 0, false
	}
}

// Resources is the table of everything that is extracted. A second endpoint is one more row.
func Resources() []Resource {
	return []Resource{
		{Schema: record.SalesOut(), Endpoint: jushuitan.SalesOut(), Query: salesOutQuery, Status: salesOutStatus},
	}
}

func salesOutQuery(a Ask) any {
	q := jushuitan.SalesOutQuery{
		ShopID:        a.Filter.ShopID,
		IsOfflineShop: a.Filter.OfflineShops,
		SoIDs:         a.SoIDs,
		Archive:       a.Archive,
		Status:        a.Status,
		PageIndex:     a.Page,
		PageSize:      a.Size,
	}
	if a.Window.span() > 0 {
		q.Begin, q.End = jushuitan.At(a.Window.Begin.Add(-edge)), jushuitan.At(a.Window.End)
	}
	if a.StartTS != 0 {
		totals := false
		q.StartTS, q.IsGetTotal = &a.StartTS, &totals
	}
	for _, key := range a.Keys {
		if id, err := strconv.ParseInt(key, 10, 64); err == nil {
			q.IOIDs = append(q.IOIDs, id)
		}
	}
	return q
}

func salesOutStatus(r record.Record) string {
	order, ok := r.Payload.(*jushuitanv1.SalesOutOrder)
	if !ok {
		return ""
	}
	return strings.TrimSpace(order.GetStatus())
}
