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
)

// RecordSubject is where a record is stored: jst.record.<resource>.<source>.<shop>.<partition>. The key is not in it: a subject per
// order would cost the server 4.5 GB at ten million orders.
func RecordSubject(r record.Record) string {
	return recordPrefix + address(r.Resource, r.Source, r.Shop, record.Partition(r.Key))
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

// Address is what a record's subject says.
type Address struct {
	Resource, Source, Shop string
	// Partition is 0 to record.Partitions-1.
	Partition int
}

// ErrSubject means that a subject is not one of a record.
var ErrSubject = errors.New("not a record's subject")

// ParseRecordSubject reads what RecordSubject wrote. Any other subject is ErrSubject.
func ParseRecordSubject(subject string) (Address, error) {
	rest, ok := strings.CutPrefix(subject, recordPrefix)
	tokens := strings.Split(rest, ".")
	if !ok || len(tokens) != 4 {
		return Address{}, fmt.Errorf("%w: %q", ErrSubject, subject)
	}
	partition, err := strconv.Atoi(tokens[3])
	if err != nil || partition < 0 || partition >= record.Partitions || strconv.Itoa(partition) != tokens[3] {
		return Address{}, fmt.Errorf("%w: %q has no partition", ErrSubject, subject)
	}
	var texts [3]string
	for i := range texts {
		if texts[i], err = Unescape(tokens[i]); err != nil {
			return Address{}, fmt.Errorf("%w: %w", ErrSubject, err)
		}
	}
	return Address{Resource: texts[0], Source: texts[1], Shop: texts[2], Partition: partition}, nil
}

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
			return "", fmt.Errorf("unescape %q: %w", token, ErrSubject)
		}
		b, err := strconv.ParseUint(token[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("unescape %q: %w", token, err)
		}
		text.WriteByte(byte(b))
		i += 2
	}
	if Escape(text.String()) != token {
		return "", fmt.Errorf("unescape %q: %w", token, ErrSubject)
	}
	return text.String(), nil
}

func plain(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '-'
}
