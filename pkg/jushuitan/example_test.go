package jushuitan_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"juliu/pkg/jushuitan"
	"juliu/pkg/secret"
)

// One page of the orders that were shipped or changed within an hour.
func Example() {
	erp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"code":0,"msg":"执行成功","data":{"page_index":1,"page_size":50,"data_count":1,"has_next":false,`+
			`"datas":[{"io_id":166,"status":"Confirmed","pay_amount":706.0}]}}`)
	}))
	defer erp.Close()

	client, err := jushuitan.New(jushuitan.Config{
		BaseURL:     erp.URL, // leave it out for the production host
		AppKey:      "b0b7d1db226d4216a3d58df9ffa2dde5",
		AppSecret:   secret.New("99c4cef262f34ca882975a7064de0b87"),
		AccessToken: secret.New("b7e3b1e24e174593af8ca5c397e53dad"),
		Now:         time.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	end := time.Date(2021, 9, 23, 8, 0, 0, 0, time.UTC)
	page, err := client.Query(context.Background(), jushuitan.SalesOut(), jushuitan.SalesOutQuery{
		Begin:     jushuitan.At(end.Add(-time.Hour)),
		End:       jushuitan.At(end),
		PageIndex: 1,
		PageSize:  jushuitan.SalesOut().MaxPageSize,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("rows in all:", *page.DataCount)
	for _, row := range page.Rows {
		fmt.Printf("%s\n", row)
	}
	// Output:
	// rows in all: 1
	// {"io_id":166,"status":"Confirmed","pay_amount":706.0}
}

// An error says what happened, whether to try again and what the operator does next.
func ExampleError() {
	erp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"code":110,"msg":"该IP不在白名单列表：203.0.113.7"}`)
	}))
	defer erp.Close()

	client, err := jushuitan.New(jushuitan.Config{
		BaseURL: erp.URL, AppKey: "key", AppSecret: secret.New("app-secret"), AccessToken: secret.New("access-token"), Now: time.Now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Query(context.Background(), jushuitan.SalesOut(), jushuitan.SalesOutQuery{IOIDs: []int64{166}})
	if e, ok := errors.AsType[*jushuitan.Error](err); ok {
		fmt.Println(e)
		fmt.Println("try again:", e.Retryable())
		fmt.Println("next:", e.Remedy())
	}
	// Output:
	// query sales-out on openapi: ip not allowed: code 110: 该IP不在白名单列表：203.0.113.7
	// try again: false
	// next: add the address 203.0.113.7 to the app's IP whitelist on the Jushuitan open platform
}

// The vendor's own example.
func ExampleSign() {
	fmt.Println(jushuitan.Sign("e9c5ca33fecb404b8e6cdbd0ef4a6d25", url.Values{
		"app_key":    {"5b53060f23d84ddf9703056e84fa5a2d"},
		"timestamp":  {"1639128407"},
		"grant_type": {"authorization_code"},
		"charset":    {"utf-8"},
		"code":       {"123456"},
	}))
	// Output: 05e3a51e19e0883afd1882ccd309e0b9
}

// An instant is written as the API reads it, whatever its zone.
func ExampleTime() {
	fmt.Println(jushuitan.At(time.Date(2021, 9, 23, 7, 7, 58, 0, time.UTC)))
	// Output: 2021-09-23 15:07:58
}
