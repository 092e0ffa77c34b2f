package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"juliu/pkg/secret"
)

const (
	secretPrefix = "whsec_"
	// minKey and maxKey bound a key, in bytes (Standard Webhooks 1.0.0, signature scheme).
	minKey, maxKey = 24, 64
	// maxSecrets is the old and the new one while a secret is replaced.
	maxSecrets = 2
)

// signer signs with each of its keys. Without keys it does not sign.
type signer struct{ keys [][]byte }

// parseSigner reads what Config.Secret describes.
func parseSigner(text secret.Text) (signer, *ConfigError) {
	const remedy = "write whsec_ and the base64 of 24 to 64 random bytes: echo whsec_$(openssl rand -base64 32)"
	words := strings.Fields(text.Reveal())
	switch {
	case len(words) == 0:
		return signer{}, &ConfigError{PartSecret, "is not set", remedy + "; " + Unsigned + " sends unsigned"}
	case len(words) > maxSecrets:
		return signer{}, &ConfigError{PartSecret, "holds more than two secrets", "keep the new one and the one before, separated by a space"}
	}
	var s signer
	for _, word := range words {
		encoded, ok := strings.CutPrefix(word, secretPrefix)
		key, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil || len(key) < minKey || len(key) > maxKey {
			return signer{}, &ConfigError{PartSecret, "is not a Standard Webhooks secret", remedy}
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// sign is the header webhook-signature, "" without keys.
func (s signer) sign(id string, at time.Time, body []byte) string {
	signatures := make([]string, len(s.keys))
	for i, key := range s.keys {
		mac := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
		_, _ = mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}
