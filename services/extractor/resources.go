package extractor

import (
	"cmp"
	"fmt"

	"juliu/pkg/jushuitan"
	"juliu/pkg/record"
)

// Resource is one kind of object that the extractor reads: a row of the table below.
type Resource struct {
	// Schema says how a row becomes a record.
	Schema record.Schema
	// Endpoint is the vendor's query.
	Endpoint jushuitan.Endpoint
	// Query is the business part of one page's request.
	Query func(f Filter, w Window, page, size int) any
}

// Filter narrows what is read.
type Filter struct {
	// Status is one of the vendor's statuses; "" reads all.
	Status string
	// ShopID reads one shop alone; nil reads all.
	ShopID *int64
	// OfflineShops with ShopID 0 reads the offline shops' orders.
	OfflineShops bool
}

// String is the filter in a form to compare, e.g. "status=Confirmed shop=4711".
func (f Filter) String() string {
	text := "status=" + cmp.Or(f.Status, "all")
	if f.ShopID != nil {
		text += fmt.Sprintf(" shop=%d", *f.ShopID)
	}
	if f.OfflineShops {
		text += " offline"
	}
	return text
}

// Resources is the table of everything that is extracted. A second endpoint is one more row.
func Resources() []Resource {
	return []Resource{
		{Schema: record.SalesOut(), Endpoint: jushuitan.SalesOut(), Query: salesOutQuery},
	}
}

func salesOutQuery(f Filter, w Window, page, size int) any {
	return jushuitan.SalesOutQuery{
		Status:        f.Status,
		ShopID:        f.ShopID,
		IsOfflineShop: f.OfflineShops,
		Begin:         jushuitan.Time{Time: w.Begin.Add(-edge)},
		End:           jushuitan.Time{Time: w.End},
		PageIndex:     page,
		PageSize:      size,
	}
}
