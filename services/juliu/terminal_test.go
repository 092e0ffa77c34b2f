package juliu_test

import (
	"os"
	"path/filepath"
	"testing"

	"juliu/services/juliu"
)

// A redirected report must not get what is drawn on a screen.
func TestAFileIsNoTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "january.md"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if screen, ok := juliu.Terminal(file); screen != nil || ok {
		t.Errorf("a file is taken for a terminal: %v, %t", screen, ok)
	}
}
