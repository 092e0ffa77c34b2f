package chaos

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the files of a history.
const (
	RunFile         = "run.json"
	LedgerFile      = "ledger.jsonl"
	StreamFile      = "stream.jsonl"
	CheckpointsFile = "checkpoints.jsonl"
	LettersFile     = "letters.jsonl"
	FloorsFile      = "floors.jsonl"
	RowsFile        = "rows.jsonl"
	WritesFile      = "writes.jsonl"
	RequestsFile    = "requests.jsonl"
	CanariesFile    = "canaries.json"
	OutputFolder    = "output"
)

// Load reads a history from its folder. A file that is missing, torn or not what it should be is an error: it would otherwise be taken for
// a loss, or hide one.
func Load(dir string) (History, error) {
	var h History
	files := os.DirFS(dir)
	text, err := fs.ReadFile(files, RunFile)
	if err != nil {
		return h, fmt.Errorf("read the history: %w; name the folder that a run left", err)
	}
	if err := json.Unmarshal(text, &h.Run); err != nil {
		return h, fmt.Errorf("read %s: %w", RunFile, err)
	}
	r, err := newReader()
	if err != nil {
		return h, err
	}
	defer r.zstd.Close()
	problems := []error{
		lines(files, LedgerFile, func(v Version) error { h.Versions = append(h.Versions, v); return nil }),
		lines(files, StreamFile, func(m Message) error { return h.add(r, m) }),
		lines(files, CheckpointsFile, func(m Message) error { return h.add(r, m) }),
		lines(files, LettersFile, func(m Message) error { h.Letters = append(h.Letters, letter(m)); return nil }),
		lines(files, FloorsFile, func(f Floor) error { h.Floors = append(h.Floors, f); return nil }),
	}
	switch h.Run.Sink {
	case Postgres:
		problems = append(problems,
			lines(files, RowsFile, func(r Row) error { h.Rows = append(h.Rows, r); return nil }),
			lines(files, WritesFile, func(w Write) error { h.Writes = append(h.Writes, w); return nil }))
	case Webhook:
		problems = append(problems, lines(files, RequestsFile, func(r Request) error { h.Requests = append(h.Requests, r); return nil }))
	default:
		problems = append(problems, fmt.Errorf("the sink %q of %s is neither %s nor %s", h.Run.Sink, RunFile, Postgres, Webhook))
	}
	h.tidy()
	h.Output, err = search(files)
	return h, errors.Join(append(problems, err)...)
}

// add sorts a message of the stream in.
func (h *History) add(r reader, m Message) error {
	switch {
	case strings.HasPrefix(m.Subject, recordPrefix):
		h.Records = append(h.Records, r.record(m))
	case strings.HasPrefix(m.Subject, checkpointPrefix):
		c, err := ReadCheckpoint(m)
		h.Checkpoints = append(h.Checkpoints, c)
		return err
	}
	return nil
}

// tidy drops checkpoints that were seen in passing and at the end.
func (h *History) tidy() {
	slices.SortStableFunc(h.Checkpoints, func(a, b Checkpoint) int { return compare(a.Sequence, b.Sequence) })
	h.Checkpoints = slices.CompactFunc(h.Checkpoints, func(a, b Checkpoint) bool { return a == b })
}

// lines reads a file of one JSON object a line.
func lines[T any](files fs.FS, name string, take func(T) error) error {
	file, err := files.Open(name)
	if err != nil {
		return fmt.Errorf("read the history: %w", err)
	}
	defer func() { _ = file.Close() }()
	decoder := json.NewDecoder(bufio.NewReaderSize(file, 1<<20))
	for n := 1; ; n++ {
		var value T
		switch err := decoder.Decode(&value); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read value %d of %s: %w", n, name, err)
		}
		if err := take(value); err != nil {
			return fmt.Errorf("read value %d of %s: %w", n, name, err)
		}
	}
}

// search looks for each canary in everything below OutputFolder.
func search(files fs.FS) (Output, error) {
	var (
		canaries []string
		out      Output
	)
	text, err := fs.ReadFile(files, CanariesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &canaries)
	}
	if err != nil {
		return out, fmt.Errorf("read %s: %w", CanariesFile, err)
	}
	out.Canaries = len(canaries)
	err = fs.WalkDir(files, OutputFolder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		said, err := fs.ReadFile(files, path)
		if err != nil {
			return err //nolint:wrapcheck // wrapped below
		}
		out.Files++
		for i, canary := range canaries {
			if strings.Contains(string(said), canary) {
				out.Hits = append(out.Hits, fmt.Sprintf("%s: canary %d", filepath.Base(path), i))
			}
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("search the output: %w", err)
	}
	return out, nil
}
