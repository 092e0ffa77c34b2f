package rig

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"juliu/pkg/chaos"
	"juliu/pkg/stream/tape"
)

// The names of what is judged, written down a second time on purpose.
const (
	recordStream = "JUSHUITAN"
	letterStream = "JUSHUITAN_DLQ"
	consumer     = "loader"
	checkpoints  = "jst.checkpoint.>"
	checkpoint   = "jst.checkpoint.sales-out.main"

	// lookEvery is how often the position of the loaders is noted.
	lookEvery = 200 * time.Millisecond
)

// file is a file of one JSON object a line. It is safe for concurrent use.
type file struct {
	mu      sync.Mutex
	file    *os.File
	encoder *json.Encoder
}

func create(path string) (*file, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // The rig's own folder.
	if err != nil {
		return nil, fmt.Errorf("write the history: %w", err)
	}
	return &file{file: f, encoder: json.NewEncoder(f)}, nil
}

func (f *file) add(value any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.encoder.Encode(value); err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	return nil
}

func (f *file) close() error { return f.file.Close() } //nolint:wrapcheck // told with its path

// recorder notes what would be gone at the end.
type recorder struct {
	tape        *tape.Tape
	now         func() time.Time
	checkpoints *file
	floors      *file

	group sync.WaitGroup
	mu    sync.Mutex
	last  tape.Position
	wrong error
}

func newRecorder(t *tape.Tape, f *fleet, now func() time.Time) (*recorder, error) {
	passing, err := create(f.path(chaos.CheckpointsFile))
	if err != nil {
		return nil, err
	}
	floors, err := create(f.path(chaos.FloorsFile))
	return &recorder{tape: t, now: now, checkpoints: passing, floors: floors}, err
}

// run notes until ctx ends; close waits for it.
func (r *recorder) run(ctx context.Context) {
	r.group.Go(func() {
		err := r.tape.Follow(ctx, recordStream, checkpoints, func(m chaos.Message) error { return r.checkpoints.add(m) })
		r.mu.Lock()
		r.wrong = errors.Join(r.wrong, err)
		r.mu.Unlock()
	})
	r.group.Go(func() {
		for ctx.Err() == nil {
			r.look(ctx)
			pause(ctx, lookEvery)
		}
	})
}

// look notes the position of the loaders; a server that does not answer is asked again.
func (r *recorder) look(ctx context.Context) {
	p, err := r.tape.Position(ctx, recordStream, consumer, r.now)
	if err != nil {
		return
	}
	err = r.floors.add(p.Floor)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last, r.wrong = p, errors.Join(r.wrong, err)
}

// position is the last one noted.
func (r *recorder) position() tape.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *recorder) close() error {
	r.group.Wait()
	return errors.Join(r.wrong, r.checkpoints.close(), r.floors.close())
}

// copyStream copies a whole stream into a file.
func copyStream(ctx context.Context, t *tape.Tape, stream, path string) error {
	out, err := create(path)
	if err != nil {
		return err
	}
	return errors.Join(t.Copy(ctx, stream, func(m chaos.Message) error { return out.add(m) }), out.close())
}

// dump has something write a file.
func dump(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // The rig's own folder.
	if err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	return errors.Join(write(f), f.Close())
}
