// Package secret holds values that must never be printed.
package secret

// Text is a secret that shows itself as *** to fmt, logs and encoders. The zero Text is empty.
type Text struct{ value string }

const mask = "***"

// New wraps a value.
func New(value string) Text { return Text{value: value} }

// Reveal returns the value, for the one place that sends it.
func (t Text) Reveal() string { return t.value }

// IsZero reports an empty secret.
func (t Text) IsZero() bool { return t.value == "" }

// String is *** whatever the value.
func (t Text) String() string { return mask }

// GoString is *** whatever the value, for %#v.
func (t Text) GoString() string { return mask }

// MarshalText is *** whatever the value, for JSON and other encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(mask), nil }
