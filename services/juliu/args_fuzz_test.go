package juliu_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"juliu/services/juliu"
)

// FuzzArguments types any words behind a command that asks a server, where none is. It ends with one of the exit codes that are promised; what
// is wrong is told on one line of printable text, whatever was typed, and nothing is printed as if it were a result.
func FuzzArguments(f *testing.F) {
	commands := []string{"read", "status", "audit", "backfill", "replay", "jobs list", "jobs watch", "jobs cancel", "dlq list", "dlq groups", "dlq show", "dlq requeue", "dlq drop", "no-such", "version"}
	for i, words := range []string{
		"", "--last\n3\n--output\njson", "--lsat\n3", "--from\n24h\n--to\n\x1b[31m", "--so-ids\na,b\n--yes", "--since=-1h", "--order\n7\n--last-per-order\n--dry-run", "--", "--\n-7",
		"20261124-161633-k3f", "--from\n2026-01-01\n--to\n2026-02-30", "--data\n\x00", "--output=", "1\n2\n--class\nx", "--help\n--x", "-\xff", "--limit\n9223372036854775808", "--rate\n1e309",
	} {
		f.Add(uint8(i), words)
	}
	f.Setenv("NATS_URL", "nats://127.0.0.1:1")
	ended, end := context.WithCancel(f.Context())
	end()
	nowhere := f.TempDir()
	f.Fuzz(func(t *testing.T, command uint8, words string) {
		line := strings.Fields(commands[int(command)%len(commands)])
		if words != "" {
			line = append(line, strings.Split(words, "\n")...)
		}
		if len(line) > 1 && !slices.ContainsFunc(line, func(s string) bool { return strings.Contains(s, "@") || strings.Contains(s, "data") }) {
			line = slices.Insert(line, 1, "--data", nowhere)
		}
		var out, errs bytes.Buffer
		code := juliu.App{In: strings.NewReader(""), Out: &out, Err: &errs, Now: time.Now}.Run(ended, line)
		text := errs.String()
		switch {
		case code == 0 && text == "" && out.Len() > 0: // help or a version
		case code != 1 && code != 2:
			t.Fatalf("exit code %d of %q\n%s%s", code, line, out.String(), text)
		case out.Len() > 0:
			t.Fatalf("a result of %q, whose exit code is %d:\n%s", line, code, out.String())
		case !strings.HasPrefix(text, "juliu: ") || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n"):
			t.Fatalf("not one line for %q: %q", line, text)
		case strings.ContainsFunc(strings.TrimSuffix(text, "\n"), func(r rune) bool { return !unicode.IsGraphic(r) }):
			t.Fatalf("control characters for %q: %q", line, text)
		}
	})
}
