package jushuitan_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"juliu/pkg/jushuitan"
)

func TestSalesOutQuerySendsTheVendorsNames(t *testing.T) {
	t.Parallel()
	begin := time.Date(2021, 9, 22, 16, 0, 0, 0, time.UTC)
	query := jushuitan.SalesOutQuery{
		ShopID: new(int64(0)), IsOfflineShop: true, Status: "Confirmed",
		Begin: jushuitan.At(begin), End: jushuitan.At(begin.Add(24 * time.Hour)), DateType: jushuitan.ByIODate,
		PageIndex: 3, PageSize: 50, IsGetTotal: new(false), StartTS: new(int64(9007199254740993)),
		SoIDs: []string{"3425786782368239"}, OIDs: []int64{36008}, IOIDs: []int64{166}, LIDs: []string{"SF1"}, WaveIDs: []int64{7},
		WmsCoID: 11053062, OwnerCoID: 2, DrpCoID: 3, IsGetCBFinance: true, IsGetCBLogistic: true,
		InoutFlds: []string{"volume"}, InoutItemFlds: []string{"bu_id"}, Archive: true,
	}
	value := reflect.ValueOf(query)
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			t.Errorf("this test leaves out %s", value.Type().Field(i).Name)
		}
	}
	want := `{"shop_id":0,"is_offline_shop":true,"status":"Confirmed",` +
		`"modified_begin":"2021-09-23 00:00:00","modified_end":"2021-09-24 00:00:00","date_type":2,` +
		`"page_index":3,"page_size":50,"is_get_total":false,"start_ts":9007199254740993,` +
		`"so_ids":["3425786782368239"],"o_ids":[36008],"io_ids":[166],"l_ids":["SF1"],"wave_ids":[7],` +
		`"wms_co_id":11053062,"owner_co_id":2,"drp_co_id":3,"is_get_cbfinance":true,"is_get_cblogistic":true,` +
		`"inout_flds":["volume"],"inout_item_flds":["bu_id"],"archive":true}`
	if got, err := json.Marshal(query); err != nil || string(got) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

func TestSalesOutQueryLeavesOutWhatIsNotSet(t *testing.T) {
	t.Parallel()
	if got, err := json.Marshal(jushuitan.SalesOutQuery{}); err != nil || string(got) != "{}" {
		t.Errorf("got %s, %v", got, err)
	}
}
