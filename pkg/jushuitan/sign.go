package jushuitan

import (
	"crypto/md5" //nolint:gosec // the vendor's signature is MD5.
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Sign is the openapi gateway's signature: lower-case hex MD5 of secret followed by every key and value, keys in ASCII order, nothing
// between them. The parameter "sign" and empty values are left out; of a key given twice the first value counts. Values are signed as
// they are, not URL-encoded.
//
// Source: the vendor's signing page, docId=70, with its two worked examples.
func Sign(secret string, params url.Values) string {
	var text strings.Builder
	text.WriteString(secret)
	for _, key := range slices.Sorted(maps.Keys(params)) {
		if value := params.Get(key); key != "sign" && value != "" {
			text.WriteString(key)
			text.WriteString(value)
		}
	}
	return digest(text.String())
}

// SignPartner is the partner gateway's signature: lower-case hex MD5 of method, partnerID, the word "token", token, the word "ts", ts
// and key, nothing between them. The body is not signed. ts is Unix seconds in decimal.
//
// Source: the vendor's older page 2214 and the clients written from it.
func SignPartner(method, partnerID, token, ts, key string) string {
	return digest(method + partnerID + "token" + token + "ts" + ts + key)
}

func digest(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // the vendor's signature is MD5.
	return hex.EncodeToString(sum[:])
}
