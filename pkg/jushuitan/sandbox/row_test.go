package sandbox_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/jushuitan/sandbox"
)

var update = flag.Bool("update", false, "write the golden files")

// rows are the raw rows of a whole shop under the faults.
func rows(t *testing.T, f sandbox.Faults, change func(*sandbox.Config)) [][]byte {
	t.Helper()
	c := newCaller(t, func(cfg *sandbox.Config) {
		cfg.Orders, cfg.Faults, cfg.Oversize = 300, f, sandbox.HonourOversize
		if change != nil {
			change(cfg)
		}
	})
	return split(t, c, c.day(`"page_size":300,`))
}

// split takes the rows out of an answer that need not be valid JSON: no text of the sandbox holds },{ followed by co_id.
func split(t *testing.T, c caller, biz string) [][]byte {
	t.Helper()
	r := c.request(biz)
	body := []byte(c.raw(t, r))
	_, datas, found := bytes.Cut(body, []byte(`"datas":[`))
	if !found {
		t.Fatalf("no datas in %.200s", body)
	}
	datas = bytes.TrimSuffix(datas, []byte(`]}}`))
	var rows [][]byte
	for row := range bytes.SplitSeq(datas, []byte(`,{"co_id":`)) {
		if !bytes.HasPrefix(row, []byte(`{`)) {
			row = append([]byte(`{"co_id":`), row...)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestARowReadsAsTheGoldenOne(t *testing.T) {
	t.Parallel()
	c := newCaller(t, nil)
	row := split(t, c, `{"io_ids":[100007],"is_get_cbfinance":true,"inout_item_flds":["volume","bu_id","combine_sku_qty"],
		"inout_flds":["volume","package","owner_co_id","cus_id","as_id","outer_so_id","oaid","is_split","is_merge"]}`)[0]
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, row, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "row.json")
	if *update {
		if err := os.WriteFile(golden, append(pretty.Bytes(), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(want)), pretty.String()); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

func TestRowsCarryEveryDocumentedField(t *testing.T) {
	t.Parallel()
	order := strings.Fields(`co_id shop_id io_id o_id so_id created modified status order_type invoice_title shop_buyer_id receiver_country
		receiver_state receiver_city receiver_district receiver_town receiver_address receiver_name receiver_phone receiver_mobile
		buyer_message remark is_cod pay_amount l_id io_date lc_id stock_enabled drp_co_id_from labels paid_amount free_amount freight weight
		f_weight merge_so_id wms_co_id business_staff currency items batchs sns ts pay_date`)
	item := strings.Fields(`ioi_id pic sku_id qty name properties_value sale_price sale_amount i_id sale_base_price`)
	batch := strings.Fields(`batch_no sku_id qty product_date supplier_id supplier_name expiration_date`)
	filled := map[string]bool{}
	size := 0
	all := rows(t, sandbox.Faults{}, nil)
	for _, raw := range all {
		size += len(raw)
		var row map[string]any
		if err := json.Unmarshal(raw, &row); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		has(t, "order", row, order, filled)
		for _, name := range []string{"items", "batchs"} {
			lines, _ := row[name].([]any)
			for _, line := range lines {
				object, ok := line.(map[string]any)
				if !ok {
					t.Fatalf("%s holds %T", name, line)
				}
				has(t, name, object, map[string][]string{"items": item, "batchs": batch}[name], filled)
			}
		}
	}
	for _, name := range append(append(order, item...), batch...) {
		if !filled[name] && name != "currency" {
			t.Errorf("no row has a value in %s", name)
		}
	}
	if mean := size / len(all); mean < 2000 || mean > 3200 {
		t.Errorf("a row has %d bytes on average, want 2 to 3 KB", mean)
	}
}

func has(t *testing.T, what string, object map[string]any, names []string, filled map[string]bool) {
	t.Helper()
	for _, name := range names {
		value, ok := object[name]
		if !ok {
			t.Fatalf("%s without %s", what, name)
		}
		if list, isList := value.([]any); value != nil && value != "" && (!isList || len(list) > 0) {
			filled[name] = true
		}
	}
}

func TestPersonalDataIsArtificial(t *testing.T) {
	t.Parallel()
	phone := regexp.MustCompile(`^1700000\d{4}$`)
	for _, raw := range rows(t, sandbox.Faults{}, nil) {
		var row struct {
			Phone string `json:"receiver_phone"`
		}
		if err := json.Unmarshal(raw, &row); err != nil {
			t.Fatal(err)
		}
		if !phone.MatchString(row.Phone) {
			t.Fatalf("phone %q may be somebody's", row.Phone)
		}
	}
}

func TestEqualSeedsGiveEqualBytes(t *testing.T) {
	t.Parallel()
	answers := map[string]int{}
	for _, seed := range []uint64{1, 1, 2} {
		c := newCaller(t, func(cfg *sandbox.Config) {
			cfg.Seed, cfg.Faults = seed, sandbox.AllFaults(0)
			cfg.Traffic = sandbox.Traffic{NewShare: 0.3, EditShare: 0.3, LateShare: 0.2, LateMax: time.Minute, DriftPerCall: 2}
		})
		c.Step(100)
		answers[c.raw(t, c.request(c.day(`"page_size":50,`)))]++
	}
	if len(answers) != 2 {
		t.Errorf("%d different answers of two seeds, want 2", len(answers))
	}
}

func TestAVersionAlwaysReadsTheSame(t *testing.T) {
	t.Parallel()
	f := sandbox.AllFaults(0)
	f.Masked, f.ZeroDates = 0.5, 0.5
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Faults = f })
	biz := `{"io_ids":` + numbers(50, "") + `,"page_size":50}`
	before := split(t, c, biz)
	c.SetFaults(sandbox.Faults{})
	for i, row := range split(t, c, biz) {
		if !bytes.Equal(row, before[i]) {
			t.Errorf("row %d changed with the faults but without a new version", i)
		}
	}
}

func TestFlawedRows(t *testing.T) {
	t.Parallel()
	text := func(pattern string) func([]byte) bool { return regexp.MustCompile(pattern).Match }
	sound := rows(t, sandbox.Faults{}, nil)
	for name, c := range map[string]struct {
		faults  sandbox.Faults
		flawed  func([]byte) bool
		invalid bool // such rows are no JSON
	}{
		"milliseconds":       {sandbox.Faults{Milliseconds: 1}, text(`"modified":"[^"]{19}\.\d{3}"`), false},
		"zero dates":         {sandbox.Faults{ZeroDates: 1}, text(`:"0001-01-01( 0[08]:00:00)?"`), false},
		"a trailing blank":   {sandbox.Faults{TrailingBlank: 1}, text(`"status":"[A-Za-z]+ "`), false},
		"numbers as text":    {sandbox.Faults{NumbersAsText: 1}, text(`"io_id":"\d+".*"ts":"\d+".*"freight":"\d+\.\d"`), false},
		"texts as numbers":   {sandbox.Faults{TextAsNumbers: 1}, text(`"so_id":\d{19},.*"receiver_phone":\d{11},`), false},
		"no items":           {sandbox.Faults{NoItems: 1}, func(row []byte) bool { return !bytes.Contains(row, []byte(`"items":[`)) }, false},
		"masked":             {sandbox.Faults{Masked: 1}, text(`"receiver_address":"\*+".*"pay_amount":null.*"buyer_paid_amount":\d`), false},
		"further fields":     {sandbox.Faults{ExtraFields: 1}, text(`"x_unknown_2":\{`), false},
		"bytes not UTF-8":    {sandbox.Faults{BadUTF8: 1}, func(row []byte) bool { return !utf8.Valid(row) }, false},
		"control characters": {sandbox.Faults{ControlCharacters: 1}, text(`[\x00-\x1f]`), true},
		"no identity":        {sandbox.Faults{NoIdentity: 1}, text(`"io_id":null`), false},
	} {
		for _, row := range sound {
			if c.flawed(row) {
				t.Fatalf("%s without the fault: %s", name, row)
			}
		}
		for _, row := range rows(t, c.faults, nil) {
			if !c.flawed(row) {
				t.Fatalf("%s missing: %s", name, row)
			}
			if json.Valid(row) == c.invalid {
				t.Fatalf("%s: JSON valid %v: %s", name, !c.invalid, row)
			}
		}
	}
}

func TestAShareOfRowsIsAShare(t *testing.T) {
	t.Parallel()
	few, many := map[string]bool{}, 0
	for _, row := range rows(t, sandbox.Faults{TrailingBlank: 0.1}, nil) {
		if bytes.Contains(row, []byte(` ","`)) {
			few[string(row)] = true
		}
	}
	kept := 0
	for _, row := range rows(t, sandbox.Faults{TrailingBlank: 0.5}, nil) {
		if bytes.Contains(row, []byte(` ","`)) {
			many++
			if few[string(row)] {
				kept++
			}
		}
	}
	if len(few) < 15 || len(few) > 45 || many < 120 || many > 180 {
		t.Errorf("%d and %d of 300 rows, want about 30 and 150", len(few), many)
	}
	if kept != len(few) {
		t.Errorf("%d of %d rows keep their flaw when the share grows", kept, len(few))
	}
}

func TestAMerchantWithoutBatches(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, sandbox.Faults{}, func(cfg *sandbox.Config) { cfg.OmitBatches = true }) {
		if bytes.Contains(row, []byte(`"batchs"`)) || bytes.Contains(row, []byte(`"sns"`)) {
			t.Fatalf("row has batches: %s", row)
		}
	}
}

func TestShopsAreAsMany(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(cfg *sandbox.Config) { cfg.Shops = 2 })
	shops := map[int64]int{}
	for _, o := range c.all(t, window(start().AddDate(0, 0, -1), start())) {
		shops[o.ShopID]++
	}
	if len(shops) != 3 || shops[0] == 0 || shops[10394533] == 0 || shops[10394534] == 0 {
		t.Errorf("shops %v, want 0, 10394533 and 10394534", shops)
	}
	for shop, want := range map[int]int{10394534: 0, 10394535: 170} {
		if a := c.query(t, c.day(`"shop_id":`+strconv.Itoa(shop)+",")); a.Code != want {
			t.Errorf("shop %d: code %d, want %d", shop, a.Code, want)
		}
	}
}
