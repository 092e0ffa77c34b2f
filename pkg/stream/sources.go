package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	juliuv1 "juliu/proto/juliu/v1"
)

// SourceState is how far the reading of one resource of one source is.
type SourceState struct {
	Resource, Source string
	// Checkpoint is the last one; never nil.
	Checkpoint *juliuv1.Checkpoint
	// Sequence, Stored and Modified are those of its newest record: its place, when it was stored, and when the ERP changed it (zero when
	// unknown). Sequence is 0 when there is no record.
	Sequence         uint64
	Stored, Modified time.Time
}

// Sources are the resources and sources that the stream has a checkpoint of, in the order of their names. The stream's leader answers.
// Errors: *TopologyError when the stream is missing, *PermissionError; one of a checkpoint that cannot be read.
func Sources(ctx context.Context, c *Conn) ([]SourceState, error) {
	s, err := c.stream(ctx, Stream)
	if err != nil {
		return nil, err
	}
	subjects, err := c.subjects(ctx, s, checkpointPrefix+">")
	if err != nil {
		return nil, err
	}
	var all []SourceState
	for _, subject := range slices.Sorted(maps.Keys(subjects)) {
		state, err := leader{Conn: c, stream: s}.source(ctx, subject)
		if err != nil {
			return nil, err
		}
		if state.Checkpoint != nil {
			all = append(all, state)
		}
	}
	return all, nil
}

var errSubject = errors.New("it is not one of juliu's subjects")

// source reads what a checkpoint's subject is about; without a checkpoint it was deleted meanwhile.
func (l leader) source(ctx context.Context, subject string) (SourceState, error) {
	resourceToken, sourceToken, ok := strings.Cut(strings.TrimPrefix(subject, checkpointPrefix), ".")
	resource, resourceErr := Unescape(resourceToken)
	source, sourceErr := Unescape(sourceToken)
	if !ok || resourceErr != nil || sourceErr != nil {
		return SourceState{}, fmt.Errorf("read the checkpoint on %s: %w", subject, errSubject)
	}
	state := SourceState{Resource: resource, Source: source}
	m, err := l.last(ctx, subject)
	if err != nil || m == nil {
		return state, err
	}
	if state.Checkpoint, err = parseCheckpoint(m); err != nil {
		return state, err
	}
	m, err = l.last(ctx, recordsOf(resource, source))
	if err != nil || m == nil {
		return state, err
	}
	state.Sequence, state.Stored, state.Modified = m.Sequence, m.Time, modifiedOf(m.Header)
	return state, nil
}

// Shops are the shops of which the stream has records, by source, in the order of their ids. Errors: *TopologyError when the stream is
// missing, *PermissionError.
func Shops(ctx context.Context, c *Conn) (map[string][]string, error) {
	s, err := c.stream(ctx, Stream)
	if err != nil {
		return nil, err
	}
	subjects, err := c.subjects(ctx, s, recordPrefix+">")
	if err != nil {
		return nil, err
	}
	shops := map[string][]string{}
	for _, subject := range slices.Sorted(maps.Keys(subjects)) {
		tokens := strings.Split(strings.TrimPrefix(subject, recordPrefix), ".")
		if len(tokens) < 3 {
			continue
		}
		source, sourceErr := Unescape(tokens[1])
		shop, shopErr := Unescape(tokens[2])
		if sourceErr == nil && shopErr == nil && !slices.Contains(shops[source], shop) {
			shops[source] = append(shops[source], shop)
		}
	}
	return shops, nil
}

// modifiedOf is when a record was changed, as its header says; zero when it does not.
func modifiedOf(h nats.Header) time.Time {
	t, err := time.Parse(time.RFC3339Nano, h.Get(HeaderModified))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// subjects are those of the stream that the filter chooses, of which there are few, and how many messages stand on each.
func (c *Conn) subjects(ctx context.Context, s jetstream.Stream, filter string) (map[string]uint64, error) {
	ctx, done := c.calls.ask(ctx, apiPrefix+"STREAM.INFO."+Stream)
	defer done()
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, c.explain(ctx, "count the messages of "+filter, err)
	}
	return info.State.Subjects, nil
}
