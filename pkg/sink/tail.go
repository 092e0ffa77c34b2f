package sink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// lineStart is how every line of ours begins.
	lineStart = `{"sequence":`
	// tailStep is how much of the end is read at once.
	tailStep = 64 << 10
)

// ErrNotOurs means that the file ends in the middle of a line that a JSONL did not write. It is left as it is.
var ErrNotOurs = errors.New("its last line is not whole and not ours; name another file")

// lastLine returns where the last whole line ends, 0 when there is none. What stands after it is ours to cut: the beginning of a line,
// or the zeros that a power loss leaves where a line was to be. Anything else is ErrNotOurs.
func lastLine(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return 0, errors.New("it is not a regular file; name another")
	}
	end := int64(0)
	for at := info.Size(); at > 0 && end == 0; {
		step := min(at, tailStep)
		at -= step
		block := make([]byte, step)
		if _, err := file.ReadAt(block, at); err != nil {
			return 0, fmt.Errorf("read end of file: %w", err)
		}
		if i := bytes.LastIndexByte(block, '\n'); i >= 0 {
			end = at + int64(i) + 1
		}
	}
	start := make([]byte, min(info.Size()-end, int64(len(lineStart))))
	if _, err := file.ReadAt(start, end); err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read last line: %w", err)
	}
	if !bytes.HasPrefix([]byte(lineStart), bytes.TrimRight(start, "\x00")) {
		return 0, ErrNotOurs
	}
	return end, nil
}
