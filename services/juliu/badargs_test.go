package juliu_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"juliu/services/juliu"
)

// What is wrong with a command line is said, with exit code 2, where no server can be asked; and what a script leaves empty by mistake, or what
// a report that is printed again has no use for, is refused rather than passed over.
func TestBadArgumentsAreRefusedWithoutAServer(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"dlq show abc":                                    `"abc" is no ID of a dead letter`,
		"dlq show 0":                                      `"0" is no ID of a dead letter`,
		"dlq show -- -7":                                  `"-7" is no ID of a dead letter`,
		"dlq show 1 2":                                    "write it as: juliu dlq show ID",
		"dlq show 1 --by=":                                "--by is empty",
		"dlq requeue":                                     "which letters?",
		"dlq requeue 1 x":                                 `"x" is no ID of a dead letter`,
		"dlq requeue 1 --group 3f9a1c02":                  "not several of these",
		"dlq drop --all --class x":                        "not several of these",
		"dlq drop --class rejected --order=":              "--order is empty",
		"dlq drop --class x --since 0s":                   "--since takes",
		"dlq list --since -1h":                            "--since takes",
		"dlq list --limit -1":                             "--limit takes no negative value",
		"dlq groups --output xml":                         "--output takes table or json",
		"jobs watch x":                                    `"x" is no ID of a job`,
		"jobs cancel 20261124-161633":                     `"20261124-161633" is no ID of a job`,
		"jobs pause *":                                    `"*" is no ID of a job`,
		"jobs list --output xml":                          "--output takes table or json",
		"audit --job x":                                   `"x" is no ID of a job`,
		"audit --job 20261124-161633-k3f --repair":        "--job prints a report that is there",
		"audit --job 20261124-161633-k3f --exact":         "--job prints a report that is there",
		"audit --job 20261124-161633-k3f --wait":          "--job prints a report that is there",
		"audit --job 20261124-161633-k3f --source second": "--job prints a report that is there",
		"audit --job=":                                    "--job is empty",
		"audit --from 3h --shop=":                         "--shop is empty",
		"audit --from 3h --to later":                      "--to takes a time",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			line := slices.Insert(strings.Fields(args), 1, "--data", t.TempDir())
			code := juliu.App{Out: &out, Err: &errs, Now: time.Now}.Run(t.Context(), line)
			if code != 2 || !strings.Contains(errs.String(), want) || out.Len() > 0 {
				t.Errorf("exit code %d, want 2 and %q:\n%s%s", code, want, out.String(), errs.String())
			}
		})
	}
}
