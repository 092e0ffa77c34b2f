package setting_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"juliu/pkg/setting"
)

func TestASecretComesFromItsVariableOrItsFile(t *testing.T) {
	t.Parallel()
	file := func(text string, mode os.FileMode) func(*testing.T) string {
		return func(t *testing.T) string {
			t.Helper()
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	none := func(*testing.T) string { return "" }
	for name, test := range map[string]struct {
		value string
		file  func(*testing.T) string
		want  string
		fault string
	}{
		"nothing set is no secret":           {"", none, "", ""},
		"a value":                            {"s3cr3t", none, "s3cr3t", ""},
		"a value with blanks stays as it is": {" s3 cr3t ", none, " s3 cr3t ", ""},
		"a file":                             {"", file("s3cr3t", 0o600), "s3cr3t", ""},
		"the file's last line break does not count":     {"", file("s3cr3t\n", 0o600), "s3cr3t", ""},
		"nor does it on Windows":                        {"", file("s3cr3t\r\n", 0o600), "s3cr3t", ""},
		"a file that all may read, as Docker mounts it": {"", file("s3cr3t", 0o444), "s3cr3t", ""},
		"a file that all may write":                     {"", file("s3cr3t", 0o666), "", "APP_SECRET_FILE names a file that others can write; take the right away with chmod go-w, better with chmod 600"},
		"both":                                          {"s3cr3t", file("s3cr3t", 0o600), "", "APP_SECRET and APP_SECRET_FILE are both set; unset one of them"},
		"an empty file":                                 {"", file("\n", 0o600), "", "APP_SECRET_FILE names an empty file; write the secret into it"},
		"two lines":                                     {"", file("s3cr3t\nother\n", 0o600), "", "APP_SECRET_FILE holds more than one line; put the secret there alone"},
		"a value with a line break":                     {"s3cr3t\n", none, "", "APP_SECRET holds more than one line; put the secret there alone"},
		"a large file":                                  {"", file(strings.Repeat("x", 65<<10), 0o600), "", "APP_SECRET_FILE names a file too large for a secret; give the path of a file that holds the secret alone"},
		"a folder":                                      {"", func(t *testing.T) string { t.Helper(); return t.TempDir() }, "", "APP_SECRET_FILE names something that is not a file; give the path of a file that holds the secret alone"},
		"a pipe": {"", func(t *testing.T) string {
			t.Helper()
			path := filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, "", "APP_SECRET_FILE names something that is not a file; give the path of a file that holds the secret alone"},
		"a file that does not exist":        {"", func(*testing.T) string { return "/missing/secret" }, "", "APP_SECRET_FILE names a file that does not exist; give the path of a file that this user can read, e.g. /run/secrets/app_secret"},
		"a secret in the place of its path": {"", func(*testing.T) string { return "s3\x00cr3t" }, "", "APP_SECRET_FILE names a file that cannot be read; give the path of a file that this user can read, e.g. /run/secrets/app_secret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p setting.Parser
			if got := p.Secret("APP_SECRET", test.value, test.file(t)); got.Reveal() != test.want {
				t.Errorf("the secret has %d bytes, want %d", len(got.Reveal()), len(test.want))
			}
			switch err := p.Err(); {
			case err == nil && test.fault != "":
				t.Errorf("no problem, want %q", test.fault)
			case err != nil && err.Error() != "read settings: "+test.fault:
				t.Errorf("problem %q, want %q", err, test.fault)
			}
		})
	}
}
