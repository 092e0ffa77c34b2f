package sandbox

import (
	"encoding/json"
	"time"
)

// Limits of the query that the vendor documents.
const (
	defaultPageSize = 30
	maxPageSize     = 50
	maxIDs          = 50
	maxLIDs         = 20
	maxSpan         = 7 * 24 * time.Hour
	maxDealerSpan   = 24 * time.Hour
)

// query is a call's business parameters.
type query struct {
	begin, end           time.Time
	byShipped            bool
	startTS              int64 // -1 without
	pageIndex, pageSize  int64
	totals               bool
	statusText           string
	status               status // of statusText, when that is not empty
	archive              bool
	shop                 int64 // -1 without
	offline              bool
	warehouse, owner     int64 // -1 without
	dealer               int64 // 0 without
	soIDs, lIDs          []string
	oIDs, ioIDs, waveIDs []int64
	dateType             int64
	extras               extras
}

// parseQuery reads the parameters; the text names what cannot be read, "" is success.
func parseQuery(body []byte) (query, string) {
	if len(body) == 0 {
		return query{}, "biz"
	}
	p := params{}
	if err := json.Unmarshal(body, &p.values); err != nil || p.values == nil {
		return query{}, "biz"
	}
	q := query{
		begin:      p.time("modified_begin"),
		end:        p.time("modified_end"),
		dateType:   p.integer("date_type", 0),
		startTS:    p.integer("start_ts", -1),
		pageIndex:  p.integer("page_index", 1),
		pageSize:   p.integer("page_size", defaultPageSize),
		statusText: p.scalar("status"),
		archive:    p.boolean("archive", false),
		shop:       p.integer("shop_id", -1),
		offline:    p.boolean("is_offline_shop", false),
		warehouse:  p.integer("wms_co_id", -1),
		owner:      p.integer("owner_co_id", -1),
		dealer:     p.integer("drp_co_id", 0),
		soIDs:      p.texts("so_ids"),
		lIDs:       p.texts("l_ids"),
		oIDs:       p.integers("o_ids"),
		ioIDs:      p.integers("io_ids"),
		waveIDs:    p.integers("wave_ids"),
	}
	q.totals = p.boolean("is_get_total", q.startTS < 0)
	q.byShipped = q.dateType == 2
	q.extras = extras{
		orderFields: p.fields("inout_flds", "volume", "package", "owner_co_id", "cus_id", "as_id", "outer_so_id", "oaid",
			"is_split", "is_merge"),
		itemFields:  p.fields("inout_item_flds", "volume", "bu_id", "combine_sku_qty"),
		crossBorder: p.boolean("is_get_cbfinance", false),
	}
	return q, p.bad
}

// validate is the vendor's business rules; the text says which one is broken, "" is success.
func (q *query) validate(oversize Oversize) string {
	known := true
	if q.statusText != "" {
		q.status, known = statusOf(q.statusText)
	}
	switch {
	case q.begin.IsZero() != q.end.IsZero():
		return "modified_begin和modified_end必须同时存在"
	case q.begin.After(q.end):
		return "modified_begin不能大于modified_end"
	case q.end.Sub(q.begin) > maxSpan:
		return "modified_begin和modified_end时间间隔不能超过7天"
	case q.dealer != 0 && q.end.Sub(q.begin) > maxDealerSpan:
		return "按分销商查询时间间隔不能超过1天"
	case q.begin.IsZero() && q.startTS < 0 && !q.hasIDs():
		return "modified_begin,modified_end和so_ids不能同时为空"
	case len(q.soIDs) > maxIDs || len(q.oIDs) > maxIDs || len(q.ioIDs) > maxIDs || len(q.waveIDs) > maxIDs:
		return "单次查询单号最多50个"
	case len(q.lIDs) > maxLIDs:
		return "单次查询物流单号最多20个"
	case q.pageIndex < 1 || q.pageSize < 1:
		return "page_index和page_size必须大于0"
	case q.pageSize > maxPageSize && oversize == RefuseOversize:
		return "page_size最大50"
	case !known:
		return "status参数无法转换"
	case q.dateType != 0 && q.dateType != 2:
		return "date_type参数无法转换"
	}
	if q.pageSize > maxPageSize && oversize == ClampOversize {
		q.pageSize = maxPageSize
	}
	return ""
}

func (q *query) hasIDs() bool {
	return len(q.soIDs)+len(q.oIDs)+len(q.ioIDs)+len(q.lIDs) > 0
}

// answer is one page, rows copied so that they can be written without the lock.
type answer struct {
	rows        []found
	total       int64 // -1 without
	index, size int64
	hasNext     bool
}

// pages is how many pages the whole answer has.
func (a answer) pages() int64 {
	if a.total%a.size == 0 {
		return a.total / a.size
	}
	return a.total/a.size + 1
}

type found struct {
	id      int32
	created int64
	version version
}
