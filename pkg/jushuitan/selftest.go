package jushuitan

import (
	"fmt"
	"net/url"
)

// SelfTest signs the vendor's published examples, one for each gateway, and returns an error when a signature is not the published one:
// then every call would be refused, whatever the secret.
//
// Source: the vendor's signing page, docId=70, and its older page 2214, with the example credentials that they publish.
func SelfTest() error {
	const (
		business = "395f5a78b446be465ac03a02491296c7"
		partner  = "aebf9d0146764d578d9c86e3b7783204"
	)
	got := Sign("e9c5ca33fecb404b8e6cdbd0ef4a6d25", url.Values{
		"app_key": {"5b53060f23d84ddf9703056e84fa5a2d"}, "access_token": {"d7b01bf0842a4742a9450e21ffd95f60"}, "timestamp": {"1639128407"},
		"version": {"2"}, "charset": {"utf-8"}, "biz": {`{"page_index":"1","page_size":"100","nicks":["老板"]}`},
	})
	if got != business {
		return fmt.Errorf("sign the vendor's example for %s: got %s, want %s", OpenAPI, got, business)
	}
	got = SignPartner("shops.query", "ywv5jGT8ge6Pvlq3FZSPol345asd", "181ee8952a88f5a57db52587472c3798", "1540370062", "ywv5jGT8ge6Pvlq3FZSPol2323")
	if got != partner {
		return fmt.Errorf("sign the vendor's example for %s: got %s, want %s", Partner, got, partner)
	}
	return nil
}
