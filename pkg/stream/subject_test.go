package stream_test

import (
	"regexp"
	"testing"

	"juliu/pkg/record"
	"juliu/pkg/stream"
)

func TestSubjects(t *testing.T) {
	t.Parallel()
	r := record.Record{Resource: "sales-out", Source: "main", Shop: "10394533", Key: "7"}
	if got, want := stream.RecordSubject(r), "jst.record.sales-out.main.10394533.6"; got != want {
		t.Errorf("record subject %q, want %q", got, want)
	}
	if got, want := stream.CheckpointSubject("sales-out", "华东 a.b"), "jst.checkpoint.sales-out.=E5=8D=8E=E4=B8=9C=20a=2Eb"; got != want {
		t.Errorf("checkpoint subject %q, want %q", got, want)
	}
	if got, want := stream.DeadLetterSubject("sales-out", "main", "", 3), "jst.dlq.sales-out.main.=.3"; got != want {
		t.Errorf("dead letter subject %q, want %q", got, want)
	}
}

func TestUnescapeRefusesWhatEscapeNeverWrites(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]string{
		"nothing":                     "",
		"an escape of a plain letter": "=41",
		"an escape in lower case":     "=2e",
		"an escape of no byte":        "=ZZ",
		"half an escape":              "a=2",
		"an equals sign at the end":   "a=",
		"a byte that is not escaped":  "a.b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if text, err := stream.Unescape(token); err == nil {
				t.Errorf("%q reads as %q", token, text)
			}
		})
	}
}

func FuzzEscape(f *testing.F) {
	legal := regexp.MustCompile(`^[A-Za-z0-9_=-]+$`)
	f.Add("", "=")
	f.Add("a.b", "a=2Eb")
	f.Add("> * \r\n", "\xff\x00")
	f.Fuzz(func(t *testing.T, a, b string) {
		token := stream.Escape(a)
		if !legal.MatchString(token) {
			t.Errorf("%q gives the illegal token %q", a, token)
		}
		if back, err := stream.Unescape(token); err != nil || back != a {
			t.Errorf("%q came back as %q, %v", a, back, err)
		}
		if (a == b) != (token == stream.Escape(b)) {
			t.Errorf("%q and %q share the token %q", a, b, token)
		}
		if text, err := stream.Unescape(b); err == nil && stream.Escape(text) != b {
			t.Errorf("%q reads as %q, whose token is another", b, text)
		}
	})
}
