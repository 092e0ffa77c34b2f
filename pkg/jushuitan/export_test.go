package jushuitan

import (
	"context"
	"net/http"

	"github.com/go-resty/resty/v2"
)

// Clean lets the tests reach the masking of foreign text.
func Clean(text string, secrets ...string) string { return clean(text, secrets) }

// LaneOf is the lane that a call of the context goes on.
func LaneOf(ctx context.Context) Lane { return laneOf(ctx) }

// Decode reads an answer as Query does after it arrived.
func Decode(gateway Gateway, status int, header http.Header, body []byte, hidden ...string) (Page, error) {
	a := answer{gateway: gateway, name: "sales-out", hidden: hidden}
	res := &resty.Response{RawResponse: &http.Response{StatusCode: status, Header: header}}
	r, err := a.read(res.SetBody(body), nil)
	if err != nil {
		return Page{}, err
	}
	return readPage(r)
}
