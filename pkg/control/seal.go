package control

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"

	"juliu/pkg/secret"
)

const (
	// sealVersion is the first byte of a record. Another way to seal gets another number, and its own key.
	sealVersion = 1
	sealInfo    = "juliu token seal v1"
	sealKeySize = 32
)

// newSeal is AES-256-GCM with a random nonce, under a key derived by HKDF-SHA-256 from the app's secret. With random nonces a key is good
// for 2^32 records (NIST SP 800-38D, 8.3); a token is stored a few times a month.
func newSeal(key secret.Text) (cipher.AEAD, error) {
	if key.IsZero() {
		return nil, errors.New("open the tokens: the app secret is empty; set JST_APP_SECRET")
	}
	derived, err := hkdf.Key(sha256.New, []byte(key.Reveal()), nil, sealInfo, sealKeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the tokens: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the tokens: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the tokens: %w", err)
	}
	return aead, nil
}

// seal is the version, then nonce and ciphertext. It holds for this source alone.
func seal(aead cipher.AEAD, source string, plain []byte) []byte {
	return aead.Seal([]byte{sealVersion}, nil, plain, place(source)) //nolint:gosec // this AEAD makes its own random nonce
}

// open returns what was sealed for a source, or ErrSealed.
func open(aead cipher.AEAD, source string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, nil, sealed[1:], place(source))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// place is the authenticated context: a record that is copied to another source, or called another version, does not open.
func place(source string) []byte {
	return []byte(TokenBucket + "/" + strconv.Quote(source) + "/" + strconv.Itoa(sealVersion))
}
