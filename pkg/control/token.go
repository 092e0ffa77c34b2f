package control

import (
	"context"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"juliu/pkg/secret"
	"juliu/pkg/stream"
)

// Token is what one source shows the ERP. It prints and encodes without its secrets.
type Token struct {
	// Access is shown with each call, Refresh when the term is extended.
	Access, Refresh secret.Text
	// Expires is when the ERP takes Access no longer; zero when unknown.
	Expires time.Time
	// Term is how long Access was good for when it was given; 0 when unknown.
	Term time.Duration
	// Origin tells which tokens of the environment these descend from, Former which ones they replaced.
	Origin string
	Former []string
	// Claim is set while a process refreshes the token; nil otherwise.
	Claim *Claim
}

// Claim is saved while a process refreshes the token, so that others wait. One that outlives its process is taken over after a minute.
type Claim struct {
	// Holder is who refreshes, as in Holder.Name.
	Holder string `json:"holder"`
	// At is since when.
	At time.Time `json:"at"`
}

// Tokens are the tokens of the sources of one app. They are safe for concurrent use.
type Tokens struct {
	bucket *bucket
	aead   cipher.AEAD
}

// OpenTokens binds to the bucket. The key is the app's secret, from which the key of the seal is derived; it must not be empty. Errors:
// *stream.TopologyError when the bucket is missing or breaks a promise, *stream.PermissionError.
func OpenTokens(ctx context.Context, conn *stream.Conn, key secret.Text) (*Tokens, error) {
	aead, err := newSeal(key)
	if err != nil {
		return nil, err
	}
	b, err := openBucket(ctx, conn, TokenBucket, tokenStream())
	if err != nil {
		return nil, err
	}
	return &Tokens{bucket: b, aead: aead}, nil
}

// Load is the token of a source and its revision; the zero Token and 0 when there is none. The stream's leader answers it, and whatever it
// answers, Save stores only over the revision that the server has. Errors: ErrSealed, with the revision.
func (t *Tokens) Load(ctx context.Context, source string) (Token, uint64, error) {
	found, err := t.bucket.read(ctx, stream.Escape(source))
	if err != nil || found.revision == 0 {
		return Token{}, 0, err
	}
	plain, err := open(t.aead, source, found.value)
	if err != nil {
		return Token{}, found.revision, fmt.Errorf("load the token of %s: %w", source, err)
	}
	var r tokenRecord
	if err := json.Unmarshal(plain, &r); err != nil {
		// The cause could quote the token.
		return Token{}, found.revision, fmt.Errorf("load the token of %s: %w", source, ErrSealed)
	}
	return Token{
		Access: secret.New(r.Access), Refresh: secret.New(r.Refresh), Expires: r.Expires, Term: r.Term, Origin: r.Origin, Former: r.Former,
		Claim: r.Claim,
	}, found.revision, nil
}

// Save stores the token of a source over the revision that Load or Save returned, 0 when there was none, and returns the new revision.
// Errors: ErrConflict. After any other error the token may or may not be stored: load it.
func (t *Tokens) Save(ctx context.Context, source string, token Token, revision uint64) (uint64, error) {
	plain, err := json.Marshal(tokenRecord{
		Access: token.Access.Reveal(), Refresh: token.Refresh.Reveal(), Expires: token.Expires, Term: token.Term, Origin: token.Origin,
		Former: token.Former, Claim: token.Claim,
	})
	if err != nil {
		return 0, fmt.Errorf("save the token of %s: %w", source, err)
	}
	next, err := t.bucket.write(ctx, stream.Escape(source), seal(t.aead, source, plain), revision)
	if errors.Is(err, errMismatch) {
		return 0, fmt.Errorf("save the token of %s: %w", source, ErrConflict)
	}
	return next, err
}

// tokenRecord is what is sealed.
type tokenRecord struct {
	Access  string        `json:"access"`
	Refresh string        `json:"refresh"`
	Expires time.Time     `json:"expires,omitzero"`
	Term    time.Duration `json:"term_ns,omitempty"`
	Origin  string        `json:"origin,omitempty"`
	Former  []string      `json:"former,omitempty"`
	Claim   *Claim        `json:"claim,omitempty"`
}
