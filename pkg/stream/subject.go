package stream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"juliu/pkg/record"
)

const (
	recordPrefix     = "jst.record."
	checkpointPrefix = "jst.checkpoint."
	deadLetterPrefix = "jst.dlq."
	auditPrefix      = "jst.audit."

	// requeueSuffix is one token more than a record's subject has: the loaders' consumer takes what stands there, and nobody counts it
	// among the records.
	requeueSuffix = ".requeue"
)

// RecordSubject is where a record is stored: jst.record.<resource>.<source>.<shop>.<partition>. The key is not in it: a subject per
// order would cost the server 4.5 GB at ten million orders.
func RecordSubject(r record.Record) string {
	return recordPrefix + address(r.Resource, r.Source, r.Shop, record.Partition(r.Key))
}

// recordsOf matches the records of a resource and source.
func recordsOf(resource, source string) string {
	return recordPrefix + Escape(resource) + "." + Escape(source) + ".*.*"
}

// CheckpointSubject is where the checkpoint of a resource and source is stored.
func CheckpointSubject(resource, source string) string {
	return checkpointPrefix + Escape(resource) + "." + Escape(source)
}

// DeadLetterSubject is where dead letters of a resource, source, shop and partition are kept.
func DeadLetterSubject(resource, source, shop string, partition int) string {
	return deadLetterPrefix + address(resource, source, shop, partition)
}

func address(resource, source, shop string, partition int) string {
	return strings.Join([]string{Escape(resource), Escape(source), Escape(shop), strconv.Itoa(partition)}, ".")
}

var errToken = errors.New("not an escaped text")

// Escape makes a subject token of any text: A-Z, a-z, 0-9, _ and - stay, any other byte becomes = and its two upper-case hex digits, and
// the empty text becomes "=". Different texts give different tokens.
func Escape(text string) string {
	if text == "" {
		return "="
	}
	var token strings.Builder
	for i := range len(text) {
		if plain(text[i]) {
			token.WriteByte(text[i])
			continue
		}
		fmt.Fprintf(&token, "=%02X", text[i])
	}
	return token.String()
}

// Unescape reads what Escape wrote. Any other token is an error.
func Unescape(token string) (string, error) {
	if token == "=" {
		return "", nil
	}
	var text strings.Builder
	for i := 0; i < len(token); i++ {
		if plain(token[i]) {
			text.WriteByte(token[i])
			continue
		}
		if token[i] != '=' || i+2 >= len(token) {
			return "", fmt.Errorf("unescape %q: %w", token, errToken)
		}
		b, err := strconv.ParseUint(token[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("unescape %q: %w", token, err)
		}
		text.WriteByte(byte(b))
		i += 2
	}
	if Escape(text.String()) != token {
		return "", fmt.Errorf("unescape %q: %w", token, errToken)
	}
	return text.String(), nil
}

func plain(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '-'
}
