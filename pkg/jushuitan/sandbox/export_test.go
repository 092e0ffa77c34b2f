package sandbox

import "net/url"

// SignForm and SignPartner are the sandbox's own signatures, for the known-answer tests.
func SignForm(secret string, form url.Values) string { return signForm(secret, form) }

// SignPartner is the old gateway's.
func SignPartner(method, partnerID, token, ts, key string) string {
	return signPartner(method, partnerID, token, ts, key)
}
