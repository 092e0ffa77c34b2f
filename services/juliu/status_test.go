package juliu_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/services/juliu"
)

func TestTheStatusOfAnEmptyStreamSaysWhatToDo(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	began := time.Now()
	code, out, errs := g.juliu(t.Context(), "status")
	if took := time.Since(began); code != 0 || errs != "" || took > 5*time.Second {
		t.Fatalf("exit code %d after %v\n%s", code, took, errs)
	}
	for _, want := range []string{"no order and no checkpoint yet: start an extractor", "0 records", "no loader asks"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("colours off a terminal:\n%q", out)
	}
}

func TestTheStatusFollowsAnExtractorUntilItIsStopped(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{Orders: 200, History: 30 * time.Minute})
	g.startExtractor(t, "1000")
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
	defer stop()
	var errs bytes.Buffer
	seen := writerFunc(func(p []byte) (int, error) {
		var v struct {
			Sources []struct {
				Newest *struct {
					Sequence uint64 `json:"sequence"`
				} `json:"newest"`
				Lease *struct {
					Holder string `json:"holder"`
				} `json:"lease"`
				Quota *struct {
					Used    int `json:"used_last_minute"`
					Allowed int `json:"allowed_per_minute"`
				} `json:"quota"`
			} `json:"sources"`
			Stream struct {
				Records uint64 `json:"records"`
			} `json:"stream"`
			Loaders struct {
				Backlog uint64 `json:"backlog"`
			} `json:"loaders"`
		}
		if err := json.Unmarshal(p, &v); err != nil {
			t.Errorf("not one object a line: %v\n%s", err, p)
			stop()
		}
		if len(v.Sources) == 1 && v.Sources[0].Newest != nil && v.Sources[0].Lease != nil && v.Sources[0].Quota != nil &&
			v.Sources[0].Quota.Used > 0 && v.Sources[0].Quota.Allowed == 600_000 && v.Stream.Records >= 200 && v.Loaders.Backlog == v.Stream.Records {
			t.Logf("seen: %s", p)
			stop()
		}
		return len(p), nil
	})
	code := juliu.App{Out: seen, Err: &errs, Now: time.Now}.Run(ctx, []string{"status", "--watch", "--output", "json", "--data", g.data})
	if code != 0 || errs.Len() > 0 || ctx.Err() != context.Canceled {
		t.Errorf("exit code %d, %v\n%s", code, ctx.Err(), errs.String())
	}
}

// An operator's clock that is off makes nothing look fresher, and is the one thing that doctor finds.
func TestAClockThatIsOffMisleadsNobody(t *testing.T) {
	t.Parallel()
	p := newPatient(t, sandbox.Config{})
	commitAt(2*time.Hour, 2*time.Hour, 0)(t, p)
	for name, off := range map[string]time.Duration{"behind": -4 * time.Hour, "ahead": 4 * time.Hour} {
		var out, errs bytes.Buffer
		app := juliu.App{Out: &out, Err: &errs, Now: func() time.Time { return time.Now().Add(off) }}
		if code := app.Run(t.Context(), []string{"status", "--data", p.data}); code != 0 || !strings.Contains(out.String(), "2 h 0 min behind, committed 2 h 0 min ago") {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out.String(), errs.String())
		}
		out.Reset()
		app.Run(t.Context(), []string{"doctor", "--output", "json", "--data", p.data})
		for _, want := range []string{`"check":"clock-nats-` + name + `","level":"fail"`, "committed nothing for 2 h 0 min"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in:\n%s", name, want, out.String())
			}
		}
		if strings.Contains(out.String(), `"check":"future"`) {
			t.Errorf("%s: a cursor of the past lies in the future:\n%s", name, out.String())
		}
	}
}

// writerFunc is a writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWhatCannotBeCarriedOutIsOneLine(t *testing.T) {
	t.Parallel()
	log := logrus.New()
	log.SetOutput(io.Discard)
	bare, err := embednats.Start(t.Context(), embednats.Options{Dir: t.TempDir(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bare.Close)
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		code int
		want string
	}{
		"unreachable":     {[]string{"status"}, map[string]string{"NATS_URL": "nats://127.0.0.1:1"}, 1, "NATS_URL"},
		"a wrong flag":    {[]string{"status", "--wacth"}, nil, 2, "--wacth"},
		"a wrong output":  {[]string{"status", "--output", "xml"}, nil, 2, "table or json"},
		"doctor, a flag":  {[]string{"doctor", "--fix"}, nil, 2, "--fix"},
		"doctor, output":  {[]string{"doctor", "-o", "yaml"}, nil, 2, "table or json"},
		"not provisioned": {[]string{"status"}, map[string]string{"NATS_URL": "bare"}, 2, "juliu provision"},
		"a wrong setting": {[]string{"status"}, map[string]string{"LOG_FORMAT": "xml"}, 2, "LOG_FORMAT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.env["NATS_URL"] == "bare" {
				c.env["NATS_URL"] = bare.URL()
			}
			code, out, _ := command(t.Context(), t, c.env, "juliu", c.args...).run(t)
			line := strings.TrimSuffix(out, "\n")
			if code != c.code || strings.Contains(line, "\n") || !strings.Contains(line, c.want) {
				t.Errorf("exit code %d, want %d and one line with %q:\n%s", code, c.code, c.want, out)
			}
		})
	}
}
