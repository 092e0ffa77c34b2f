package juliu_test

import (
	"os"
	"strings"
	"testing"

	"juliu/pkg/setting"
	"juliu/services/extractor"
	"juliu/services/loader"
)

func TestEveryVariableIsDocumentedWithItsDefault(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, v := range append(setting.Variables(extractor.Environment{}), setting.Variables(loader.Environment{})...) {
		name := strings.TrimSuffix(v.Name, "_FILE")
		documented := false
		for _, line := range lines {
			documented = documented || strings.HasPrefix(line, "| `"+name+"`") && (v.Default == "" || strings.Contains(line, "`"+v.Default+"`"))
		}
		if !documented {
			t.Errorf("docs/configuration.md has no row for %s with default %q", v.Name, v.Default)
		}
	}
}
