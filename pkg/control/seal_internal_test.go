package control

import (
	"bytes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"testing"

	"juliu/pkg/secret"
)

func testSeal(tb testing.TB, key string) cipher.AEAD {
	tb.Helper()
	aead, err := newSeal(secret.New(key))
	if err != nil {
		tb.Fatal(err)
	}
	return aead
}

// FuzzSeal seals a text and opens it, and then changes one bit of the record.
func FuzzSeal(f *testing.F) {
	f.Add("main", []byte(`{"access":"a"}`), uint16(0), uint8(0))
	f.Add("", []byte{}, uint16(1), uint8(7))
	f.Add("a/b", []byte("x"), uint16(13), uint8(3))
	aead, wrong := testSeal(f, "secret"), testSeal(f, "Secret")
	f.Fuzz(func(t *testing.T, source string, plain []byte, at uint16, bit uint8) {
		record := seal(aead, source, plain)
		if got, err := open(aead, source, record); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%q, %v", got, err)
		}
		if bytes.Equal(record, seal(aead, source, plain)) {
			t.Error("the nonce repeats")
		}
		if _, err := open(wrong, source, record); !errors.Is(err, ErrSealed) {
			t.Errorf("another secret: %v", err)
		}
		if _, err := open(aead, source+"x", record); !errors.Is(err, ErrSealed) {
			t.Errorf("another source: %v", err)
		}
		record[int(at)%len(record)] ^= 1 << (bit % 8)
		if _, err := open(aead, source, record); !errors.Is(err, ErrSealed) {
			t.Errorf("a bit flipped at %d: %v", int(at)%len(record), err)
		}
	})
}

// TestTheSealStaysReadable opens a record of the first release: changing how the key is derived, or what is authenticated, would lock
// every merchant out.
func TestTheSealStaysReadable(t *testing.T) {
	t.Parallel()
	record, err := hex.DecodeString("019c36cef66a8bb35948eb083935b946b5e1ba666264eebd3f31ada2991217571cb268595c4ecc704b4b6b")
	if err != nil {
		t.Fatal(err)
	}
	got, err := open(testSeal(t, "secret"), "main", record)
	if err != nil || string(got) != `{"access":"a"}` {
		t.Errorf("%q, %v", got, err)
	}
}
