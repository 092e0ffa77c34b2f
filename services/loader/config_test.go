package loader_test

import (
	"strings"
	"testing"

	"juliu/services/loader"
)

func TestTheSizeOfAFileHasADefaultAndUnits(t *testing.T) {
	for name, test := range map[string]struct {
		value string
		want  int64
		says  string
	}{
		"not set":        {"", 1 << 30, ""},
		"never":          {"0", 0, ""},
		"with a unit":    {"500MB", 500_000_000, ""},
		"not a size":     {"much", 0, "LOADER_JSONL_ROTATE is not a size in bytes; write digits"},
		"less than none": {"-1", 0, "LOADER_JSONL_ROTATE is not a size in bytes; write digits"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LOADER_JSONL_ROTATE", test.value)
			cfg, err := loader.LoadConfig("jsonl")
			if cfg.JSONL.Rotate != test.want || (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%d, %v; want %d, %q", cfg.JSONL.Rotate, err, test.want, test.says)
			}
		})
	}
}
