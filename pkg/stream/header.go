package stream

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"juliu/pkg/record"
)

// Headers of a record. They are what a pass over headers alone needs.
const (
	// HeaderKey is the record's key, escaped as in subjects (decimal ids look the same).
	HeaderKey = "Jst-Key"
	// HeaderVersion is record.Record.VersionText.
	HeaderVersion = "Jst-Version"
	// HeaderModified is the modification time in RFC 3339 with up to nine digits of fraction, UTC; absent when unknown.
	HeaderModified = "Jst-Modified"
	// HeaderHash is the content hash in hex.
	HeaderHash = "Jst-Hash"
	// HeaderEncoding is "zstd" when the body, or the object that stands for it, is compressed.
	HeaderEncoding = "Jst-Encoding"
	// HeaderObject names the object of PayloadBucket that holds the body; the message's own body is empty. It is the SHA-256 of the
	// uncompressed body in hex.
	HeaderObject = "Jst-Object"
)

const encodingZstd = "zstd"

// recordHeader describes a record.
func recordHeader(r record.Record) nats.Header {
	h := nats.Header{
		HeaderKey:     {Escape(r.Key)},
		HeaderVersion: {r.VersionText()},
		HeaderHash:    {r.Hash.String()},
	}
	if !r.Version.Modified.IsZero() {
		h.Set(HeaderModified, r.Version.Modified.UTC().Format(time.RFC3339Nano))
	}
	return h
}

// identity is what the headers of a stored record say.
type identity struct {
	key     string
	version record.Version
	hash    record.Hash
}

func readIdentity(h nats.Header) (identity, error) {
	key, err := Unescape(h.Get(HeaderKey))
	if err != nil {
		return identity{}, fmt.Errorf("read header %s: %w", HeaderKey, err)
	}
	version, err := record.ParseVersion(h.Get(HeaderVersion))
	if err != nil {
		return identity{}, fmt.Errorf("read header %s: %w", HeaderVersion, err)
	}
	if text := h.Get(HeaderModified); text != "" {
		if version.Modified, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return identity{}, fmt.Errorf("read header %s: %w", HeaderModified, err)
		}
	}
	hash, err := record.ParseHash(h.Get(HeaderHash))
	if err != nil {
		return identity{}, fmt.Errorf("read header %s: %w", HeaderHash, err)
	}
	return identity{key: key, version: version, hash: hash}, nil
}
