package stream_test

import (
	"errors"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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

func TestParseRecordSubjectReadsWhatRecordSubjectWrote(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := record.Record{
			Resource: rapid.String().Draw(t, "resource"), Source: rapid.String().Draw(t, "source"),
			Shop: rapid.String().Draw(t, "shop"), Key: rapid.String().Draw(t, "key"),
		}
		got, err := stream.ParseRecordSubject(stream.RecordSubject(r))
		want := stream.Address{Resource: r.Resource, Source: r.Source, Shop: r.Shop, Partition: record.Partition(r.Key)}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}

func TestParseRecordSubjectRefusesOtherSubjects(t *testing.T) {
	t.Parallel()
	for name, subject := range map[string]string{
		"a checkpoint":                "jst.checkpoint.sales-out.main",
		"a dead letter":               "jst.dlq.sales-out.main.1.2",
		"too few tokens":              "jst.record.sales-out.main.1",
		"too many tokens":             "jst.record.sales-out.main.1.2.3",
		"a partition that is none":    "jst.record.sales-out.main.1.x",
		"a partition out of range":    "jst.record.sales-out.main.1.16",
		"a partition with a zero":     "jst.record.sales-out.main.1.01",
		"an escape of a plain letter": "jst.record.sales-out.main.=41.1",
		"an escape in lower case":     "jst.record.sales-out.main.=2e.1",
		"half an escape":              "jst.record.sales-out.main.a=2.1",
		"an empty token":              "jst.record.sales-out..1.2",
		"an equals sign within":       "jst.record.sales-out.main.a=.1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := stream.ParseRecordSubject(subject); !errors.Is(err, stream.ErrSubject) {
				t.Errorf("%s: %v, want ErrSubject", subject, err)
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
