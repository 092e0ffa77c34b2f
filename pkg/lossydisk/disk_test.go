package lossydisk_test

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"juliu/pkg/lossydisk"
)

// mount shows a disk until the function returned is called. Without FUSE it ends the test: skipped on a developer's machine, failed in CI.
func mount(tb testing.TB, d *lossydisk.Disk) (string, func()) {
	tb.Helper()
	dir := tb.TempDir()
	unmount, err := d.Mount(dir)
	if err != nil && os.Getenv("JULIU_REQUIRE_CONTAINERS") == "" {
		tb.Skipf("a disk whose power can be cut cannot run here: %v", err)
	}
	if err != nil {
		tb.Fatalf("a disk whose power can be cut is required here (JULIU_REQUIRE_CONTAINERS): %v", err)
	}
	return dir, func() {
		if err := unmount(); err != nil {
			tb.Fatal(err)
		}
	}
}

// step is what a program does; a failure fails the test.
type step func(dir string) error

func write(name, content string, flags int, sync bool) step {
	return func(dir string) error {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|flags, 0o600)
		if err != nil {
			return err
		}
		_, err = f.WriteString(content)
		if sync {
			err = errors.Join(err, f.Sync())
		}
		return errors.Join(err, f.Close())
	}
}

func data(name, content string) step {
	return func(dir string) error {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(content)
		return errors.Join(err, unix.Fdatasync(int(f.Fd())), f.Close())
	}
}

func flush(name string) step {
	return func(dir string) error {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	}
}

func folder(name string) step {
	return func(dir string) error { return os.Mkdir(filepath.Join(dir, name), 0o700) }
}

func move(from, to string) step {
	return func(dir string) error { return os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)) }
}

func remove(name string) step {
	return func(dir string) error { return os.Remove(filepath.Join(dir, name)) }
}

func truncate(size int64) step {
	return func(dir string) error { return os.Truncate(filepath.Join(dir, "a"), size) }
}

// contents are the files below a folder, and empty folders with a stroke at the end.
func contents(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	found := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if !entry.IsDir() {
			content, err := os.ReadFile(filepath.Join(dir, path))
			found[path] = string(content)
			return err
		}
		below, err := os.ReadDir(filepath.Join(dir, path))
		if len(below) == 0 {
			found[path+"/"] = ""
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func TestADiskForgetsWhatWasNotSynced(t *testing.T) {
	t.Parallel()
	type files = map[string]string
	cases := map[string]struct {
		steps          []step
		before         files
		after, strict  files
		alreadyWritten []step
	}{
		"a file written and closed": {
			steps: []step{write("a", "1", 0, false)}, before: files{"a": "1"}, after: files{}, strict: files{},
		},
		"a new file synced": {
			steps: []step{write("a", "1", 0, true)}, before: files{"a": "1"}, after: files{"a": "1"}, strict: files{},
		},
		"a new file synced, and its folder": {
			steps: []step{write("a", "1", 0, true), flush(".")}, before: files{"a": "1"}, after: files{"a": "1"}, strict: files{"a": "1"},
		},
		"a folder synced, not the file in it": {
			steps: []step{write("a", "1", 0, false), flush(".")}, before: files{"a": "1"}, after: files{"a": ""}, strict: files{"a": ""},
		},
		"a file of a new folder synced": {
			steps:  []step{folder("f"), write("f/a", "1", 0, true), write("f/b", "2", 0, false), folder("g")},
			before: files{"f/a": "1", "f/b": "2", "g/": ""}, after: files{"f/a": "1"}, strict: files{},
		},
		"a file written by O_SYNC": {
			steps: []step{write("a", "1", os.O_SYNC, false)}, before: files{"a": "1"}, after: files{"a": "1"}, strict: files{},
		},
		"what is appended after the sync": {
			alreadyWritten: []step{write("a", "12", 0, true), flush(".")},
			steps:          []step{write("a", "345", os.O_APPEND, false)},
			before:         files{"a": "12345"}, after: files{"a": "12"}, strict: files{"a": "12"},
		},
		"what is appended, then synced by fdatasync": {
			alreadyWritten: []step{write("a", "12", 0, true), flush(".")},
			steps:          []step{write("a", "345", os.O_APPEND, false), data("a", "0")},
			before:         files{"a": "02345"}, after: files{"a": "02345"}, strict: files{"a": "02345"},
		},
		"what is written over": {
			alreadyWritten: []step{write("a", "123", 0, true), flush(".")},
			steps:          []step{write("a", "9", 0, false)},
			before:         files{"a": "923"}, after: files{"a": "123"}, strict: files{"a": "123"},
		},
		"a file cut short, grown, and synced": {
			alreadyWritten: []step{write("a", "123", 0, true), flush(".")},
			steps:          []step{truncate(1), truncate(2), flush("a"), truncate(0)},
			before:         files{"a": ""}, after: files{"a": "1\x00"}, strict: files{"a": "1\x00"},
		},
		"a file emptied when opened": {
			alreadyWritten: []step{write("a", "123", 0, true), flush(".")},
			steps:          []step{write("a", "9", os.O_TRUNC, false)},
			before:         files{"a": "9"}, after: files{"a": "123"}, strict: files{"a": "123"},
		},
		"a file removed": {
			alreadyWritten: []step{write("a", "1", 0, true), write("b", "2", 0, true), flush(".")},
			steps:          []step{remove("a")},
			before:         files{"b": "2"}, after: files{"a": "1", "b": "2"}, strict: files{"a": "1", "b": "2"},
		},
		"a file removed, and its folder synced": {
			alreadyWritten: []step{write("a", "1", 0, true), write("b", "2", 0, true), flush(".")},
			steps:          []step{remove("a"), flush(".")},
			before:         files{"b": "2"}, after: files{"b": "2"}, strict: files{"b": "2"},
		},
		"a file replaced by a synced one": {
			alreadyWritten: []step{write("a", "1", 0, true), flush(".")},
			steps:          []step{write("new", "2", 0, true), move("new", "a")},
			before:         files{"a": "2"}, after: files{"a": "1", "new": "2"}, strict: files{"a": "1"},
		},
		"a file replaced by a synced one, and its folder synced": {
			alreadyWritten: []step{write("a", "1", 0, true), flush(".")},
			steps:          []step{write("new", "2", os.O_SYNC, false), move("new", "a"), flush(".")},
			before:         files{"a": "2"}, after: files{"a": "2"}, strict: files{"a": "2"},
		},
		"a file moved to another folder, of which the old one is synced": {
			alreadyWritten: []step{folder("f"), folder("g"), write("f/a", "1", 0, true), flush("f"), flush("g"), flush(".")},
			steps:          []step{move("f/a", "g/a"), flush("f")},
			before:         files{"f/": "", "g/a": "1"}, after: files{"f/": "", "g/a": "1"}, strict: files{"f/": "", "g/a": "1"},
		},
	}
	for name, c := range cases {
		for kind, model := range map[string]struct {
			disk *lossydisk.Disk
			want files
		}{"journaling": {lossydisk.New(), c.after}, "strict": {lossydisk.NewStrict(), c.strict}} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				dir, unmount := mount(t, model.disk)
				for _, do := range slices.Concat(c.alreadyWritten, c.steps) {
					if err := do(dir); err != nil {
						t.Fatal(err)
					}
				}
				if found := contents(t, dir); !maps.Equal(found, c.before) {
					t.Errorf("before the cut: %q, want %q", found, c.before)
				}
				model.disk.CutAfter(0)
				if err := flush(".")(dir); !errors.Is(err, unix.EIO) {
					t.Errorf("after the cut a sync says %v", err)
				}
				<-model.disk.Dark()
				unmount()
				dir, unmount = mount(t, model.disk.Restart(nil))
				defer unmount()
				if found := contents(t, dir); !maps.Equal(found, model.want) {
					t.Errorf("after the cut: %q, want %q", found, model.want)
				}
			})
		}
	}
}

func TestADiskMayKeepTheBeginningOfWhatWasNotSynced(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for seed := range uint64(20) {
		d := lossydisk.New()
		dir, unmount := mount(t, d)
		for _, do := range []step{write("a", "12345", 0, true), flush("."), truncate(4), truncate(1), write("a", "xyz", os.O_APPEND, false)} {
			if err := do(dir); err != nil {
				t.Fatal(err)
			}
		}
		unmount()
		dir, unmount = mount(t, d.Restart(rand.New(rand.NewPCG(seed, 0))))
		found[contents(t, dir)["a"]] = true
		unmount()
	}
	want := map[string]bool{"12345": true, "1x345": true, "1xy45": true, "1xyz5": true}
	if !maps.Equal(found, want) {
		t.Errorf("found %v", found)
	}
}
