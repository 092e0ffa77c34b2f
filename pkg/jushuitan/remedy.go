package jushuitan

import (
	"fmt"
	"time"
)

// Remedy is one sentence for the operator: what to do next. It is never empty.
func (e *Error) Remedy() string {
	switch {
	case e.Kind == IPNotAllowed && e.IP != "":
		return fmt.Sprintf("add the address %s to the app's IP whitelist on the Jushuitan open platform", e.IP)
	case e.Kind == ClockSkew && e.Skew != 0:
		side := "ahead of"
		if e.Skew < 0 {
			side = "behind"
		}
		return fmt.Sprintf("set this machine's clock by NTP: it is %s %s the server's", e.Skew.Abs().Round(time.Second), side)
	case e.Kind == HTTPStatus && !e.Retryable():
		return "check the base URL and the gateway: this address does not serve the API"
	}
	if text, ok := remedies()[e.Kind]; ok {
		return text
	}
	return "look the code up in the vendor's list, or ask the vendor's support with the code, the text and the time of the call"
}

func remedies() map[Kind]string {
	return map[Kind]string{
		Signature:         "check that the app key and the app secret belong together and were copied whole",
		TokenExpired:      "refresh the access token; if that is refused, authorise the app again and set the new token",
		IPNotAllowed:      "add this machine's public address to the app's IP whitelist on the Jushuitan open platform",
		NotGranted:        "apply for this interface on the Jushuitan open platform and let the merchant grant it to the app",
		ClockSkew:         "set this machine's clock by NTP: the API refuses calls that are 10 to 15 minutes off",
		RateLimitedSecond: "nothing: the calls slow down by themselves; if it lasts, look for another program that uses the same app",
		RateLimitedMinute: "nothing: the calls slow down by themselves; if it lasts, look for another program that uses the same app",
		BadParameter:      "correct the query: the vendor's text says which parameter is refused",
		UnknownShop:       "correct the shop_id: the merchant has no such shop",
		RefreshForbidden:  "let the merchant authorise the app again: this type of app may not refresh its token",
		Internal:          "try again later; if it lasts, ask the vendor's support with the time of the call",
		Unreachable:       "check the base URL and this machine's DNS, proxy, certificates and firewall",
		Timeout:           "try again with fewer rows a page or a shorter window; if it lasts, check the network",
		HTTPStatus:        "try again later; if it lasts, ask the vendor's support with the status and the time of the call",
		NotJSON:           "try again; if it lasts, check the base URL and whether a proxy or a gateway answers in the API's place",
		Cut:               "try again; if it lasts, check the proxy and the network between here and the API",
		TooLarge:          "ask for fewer rows a page",
		Redirected:        "set the base URL to an address that answers itself: redirects would carry the credentials elsewhere",
	}
}
