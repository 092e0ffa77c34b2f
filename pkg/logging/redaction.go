package logging

import (
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
)

// masked stands in the place of a value that must not be shown.
const masked = "***"

// redaction masks fields by their names.
type redaction struct{}

// Levels is every level.
func (redaction) Levels() []logrus.Level { return logrus.AllLevels }

// Fire masks in the entry's own copy of the fields, which logrus makes before it fires hooks.
func (redaction) Fire(entry *logrus.Entry) error {
	for name := range entry.Data {
		if sensitive(name) {
			entry.Data[name] = masked
		}
	}
	return nil
}

// sensitive reports whether one of the words of a field's name ("receiver_phone", "appSecret", "access-token") promises a secret or
// personal data. Words are compared whole: "token" masks access_token, yet a field named tokens_left stays readable.
func sensitive(name string) bool {
	return slices.ContainsFunc(words(name), func(word string) bool {
		switch word {
		case "secret", "token", "password", "passwd", "credential", "credentials", "creds", "nkey", "seed", "authorization", "sign",
			"name", "receiver", "buyer", "phone", "mobile", "tel", "telephone", "address", "email", "idcard":
			return true
		default:
			return false
		}
	})
}

// words splits snake, kebab, dotted and camel case, in lower case.
func words(name string) []string {
	var parted strings.Builder
	lower := false
	for _, r := range name {
		upper := 'A' <= r && r <= 'Z'
		if upper && lower {
			parted.WriteByte('_')
		}
		lower = 'a' <= r && r <= 'z'
		parted.WriteRune(r)
	}
	return strings.FieldsFunc(strings.ToLower(parted.String()), func(r rune) bool { return r == '_' || r == '-' || r == '.' || r == ' ' })
}
