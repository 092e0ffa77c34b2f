package jushuitan

import "time"

// SalesOut is the endpoint of outbound orders, 销售出库查询: orders that wait for shipping, were shipped, voided or revoked.
//
// Source: openapi path /open/orders/out/simple/query, partner method orders.out.simple.query; a time span of at most 7 days and at
// most 50 rows a page by the vendor's table.
func SalesOut() Endpoint {
	return Endpoint{
		Name:        "sales-out",
		Path:        "/open/orders/out/simple/query",
		Method:      "orders.out.simple.query",
		MaxSpan:     7 * 24 * time.Hour,
		MaxPageSize: 50,
	}
}

// Values of [SalesOutQuery.DateType].
const (
	// ByModified selects by the time of the last change, the API's default.
	ByModified = 0
	// ByIODate selects by the time of shipping.
	ByIODate = 2
)

// SalesOutQuery is the biz of [SalesOut]. Zero fields are not sent; a pointer is for a parameter whose zero means something. One of the
// time window, an id list or StartTS must be given, else the API answers [BadParameter].
//
// Source: the vendor's request table of 销售出库查询, the same on both gateways.
type SalesOutQuery struct {
	// ShopID is one shop; 0 together with IsOfflineShop selects the offline shops. Default all online shops.
	ShopID        *int64 `json:"shop_id,omitempty"`
	IsOfflineShop bool   `json:"is_offline_shop,omitempty"`
	// Status is one of WaitConfirm, Confirmed, Delete, Cancelled, OuterConfirming, Archive. Default all. Any other text fails the call
	// with [BadParameter].
	Status string `json:"status,omitempty"`
	// Begin and End are both given or neither, whole seconds, at most [Endpoint.MaxSpan] apart; the API takes both ends as inclusive.
	Begin Time `json:"modified_begin,omitzero"`
	End   Time `json:"modified_end,omitzero"`
	// DateType says which time Begin and End are of: ByModified (default) or ByIODate.
	DateType int `json:"date_type,omitempty"`

	// PageIndex counts from 1, the default.
	PageIndex int `json:"page_index,omitempty"`
	// PageSize is 1 to [Endpoint.MaxPageSize]; the API's default is 30.
	PageSize int `json:"page_size,omitempty"`
	// IsGetTotal asks for data_count and page_count; the API's default is true.
	IsGetTotal *bool `json:"is_get_total,omitempty"`
	// StartTS walks by row version instead of by page: the highest ts received so far, 1 at first, PageIndex always 1.
	StartTS *int64 `json:"start_ts,omitempty"`

	// SoIDs are online order numbers, at most 50.
	SoIDs []string `json:"so_ids,omitempty"`
	// OIDs are internal order numbers, at most 50.
	OIDs []int64 `json:"o_ids,omitempty"`
	// IOIDs are outbound numbers, the rows' keys, at most 50.
	IOIDs []int64 `json:"io_ids,omitempty"`
	// LIDs are tracking numbers, at most 20.
	LIDs []string `json:"l_ids,omitempty"`
	// WaveIDs are picking waves, at most 50.
	WaveIDs []int64 `json:"wave_ids,omitempty"`

	// WmsCoID is the shipping warehouse.
	WmsCoID int64 `json:"wms_co_id,omitempty"`
	// OwnerCoID is the owner of the goods.
	OwnerCoID int64 `json:"owner_co_id,omitempty"`
	// DrpCoID is a distributor; with it the span is at most one day.
	DrpCoID int64 `json:"drp_co_id,omitempty"`

	// IsGetCBFinance asks for the cross-border finance block.
	IsGetCBFinance bool `json:"is_get_cbfinance,omitempty"`
	// IsGetCBLogistic asks for the cross-border logistics block.
	IsGetCBLogistic bool `json:"is_get_cblogistic,omitempty"`
	// InoutFlds are further order fields: volume, package, owner_co_id, cus_id, as_id, outer_so_id, oaid, is_split, is_merge.
	InoutFlds []string `json:"inout_flds,omitempty"`
	// InoutItemFlds are further item fields: volume, bu_id, combine_sku_qty.
	InoutItemFlds []string `json:"inout_item_flds,omitempty"`
	// Archive selects archived rows in place of the current ones.
	Archive bool `json:"archive,omitempty"`
}
