package process

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the build with -ldflags "-X juliu/pkg/process.version=…"; empty in a plain go build.
//
//nolint:gochecknoglobals // the linker reaches nothing but package variables
var version, commit, date string

// Build is what is known about a binary.
type Build struct {
	// Version is the tag or description of the source, "dev" when unknown.
	Version string
	// Commit is the source's commit, "unknown" when unknown.
	Commit string
	// Date is the commit's time in RFC 3339, "unknown" when unknown.
	Date string
	// Go is the release of Go that built it.
	Go string
}

// ReadBuild returns what the build set, else what Go noted in the binary.
func ReadBuild() Build {
	b := Build{Version: version, Commit: commit, Date: date, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "(devel)" {
			b.Version = cmp.Or(b.Version, info.Main.Version)
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = cmp.Or(b.Commit, s.Value)
			case "vcs.time":
				b.Date = cmp.Or(b.Date, s.Value)
			}
		}
	}
	return Build{Version: cmp.Or(b.Version, "dev"), Commit: cmp.Or(b.Commit, "unknown"), Date: cmp.Or(b.Date, "unknown"), Go: b.Go}
}

// Version is ReadBuild in one line, e.g. "v1.2.0 (commit 93cdede4b2c1, 2026-11-23T19:40:00Z, go1.26.8)".
func Version() string {
	b := ReadBuild()
	return fmt.Sprintf("%s (commit %s, %s, %s)", b.Version, b.Commit, b.Date, b.Go)
}
