package stream

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/record"
)

// Head is what the headers of a stored record say.
type Head struct {
	Sequence  uint64
	Shop, Key string
	Version   record.Version
	Hash      record.Hash
}

// ReadHeads hands the headers of stored records to fn in stream order, those that o.Since, Resource, Source and Shop choose and that were
// stored when it began. It passes over what juliu did not write. An error of fn ends it.
func ReadHeads(ctx context.Context, c *Conn, o ReadOptions, fn func(Head) error) error {
	last, err := c.lastMatch(ctx, o.filter())
	if err != nil || last == nil || last.Time.Before(o.Since) {
		return err
	}
	cfg, _, err := c.start(ctx, o)
	if err != nil {
		return err
	}
	cfg.HeadersOnly = true
	return c.scan(ctx, cfg, last.Sequence, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		id, err := readIdentity(m.Headers())
		if err != nil {
			return true, nil //nolint:nilerr // LoadKnown warns of it
		}
		shop, err := Unescape(shopToken(m.Subject()))
		if err != nil {
			return true, nil //nolint:nilerr // not one of ours
		}
		return true, fn(Head{Sequence: meta.Sequence.Stream, Shop: shop, Key: id.key, Version: id.version, Hash: id.hash})
	})
}

// shopToken is the shop in a record's subject.
func shopToken(subject string) string {
	const at = 4 // jst.record.<resource>.<source>.<shop>.<partition>
	tokens := strings.Split(subject, ".")
	if len(tokens) <= at {
		return ""
	}
	return tokens[at]
}
