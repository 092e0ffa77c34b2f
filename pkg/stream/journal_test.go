package stream_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/embednats"
	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
)

func TestCommitStoresRecordsAndCheckpoint(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	j := openJournal(t, conn)
	if j.Checkpoint() != nil {
		t.Fatal("a new source has a checkpoint")
	}
	commit(t.Context(), t, j, orders(0, 50, 3000))
	commit(t.Context(), t, j, nil)
	commit(t.Context(), t, j, orders(50, 999, 4096))
	once(t, conn, 1049)
	if s, err := raw(t, server).Stream(t.Context(), stream.Stream); err != nil || s.CachedInfo().State.Msgs != 1050 {
		t.Errorf("more than the last checkpoint is kept: %v", err)
	}
	again := openJournal(t, conn)
	if got := again.Checkpoint(); got.GetTotal() != 1049 || got.GetCommit() != 3 || got.GetRecords() != 999 || !got.GetCursor().AsTime().Equal(epoch()) {
		t.Errorf("checkpoint %v", got)
	}
	if err := j.Commit(t.Context(), orders(0, stream.MaxRecords+1, 10), checkpoint(epoch())); err == nil {
		t.Error("a thousand records were taken")
	}
	commit(t.Context(), t, again, orders(1049, 1, 10))
	once(t, conn, 1050)
}

// once fails unless the stream holds the orders 0 to count-1, each once, in order.
func once(tb testing.TB, conn *stream.Conn, count int) {
	tb.Helper()
	rs := stored(tb, conn)
	keys := make([]string, 0, len(rs))
	for _, r := range rs {
		keys = append(keys, r.Key)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(rs) {
		tb.Errorf("%d records of the stream are duplicates", len(rs)-len(slices.Compact(slices.Sorted(slices.Values(keys)))))
	}
	if !slices.IsSorted(keys) {
		tb.Error("the records are out of order")
	}
	if len(rs) != count {
		tb.Errorf("the stream holds %d records, want %d", len(rs), count)
	}
}

func TestOfTwoJournalsOneCommitsAndTheOtherIsFenced(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	other := connect(t, server.URL())
	for round := range 50 {
		journals := []*stream.Journal{openJournal(t, conn), openJournal(t, other)}
		errs := make([]error, len(journals))
		var group sync.WaitGroup
		for i, j := range journals {
			group.Go(func() { errs[i] = j.Commit(t.Context(), orders(round, 1, 100), checkpoint(epoch())) })
		}
		group.Wait()
		winner := slices.Index(errs, nil)
		if winner < 0 || !errors.Is(errs[1-winner], stream.ErrFenced) {
			t.Fatalf("round %d: %v", round, errs)
		}
		if err := journals[1-winner].Commit(t.Context(), orders(1000, 1, 100), checkpoint(epoch())); !errors.Is(err, stream.ErrFenced) {
			t.Fatalf("round %d: a fenced journal commits again: %v", round, err)
		}
	}
	once(t, conn, 50)
	exit, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](fmt.Errorf("commit: %w", stream.ErrFenced))
	if !ok || exit.ExitCode() != 3 {
		t.Errorf("ErrFenced does not exit with 3")
	}
}

func TestACommitWhoseAnswerIsLostIsStoredOnce(t *testing.T) {
	t.Parallel()
	server, direct := setup(t)
	p := startProxy(t, server.URL())
	j := openJournal(t, connect(t, p.url))
	commit(t.Context(), t, j, orders(0, 10, 100))

	p.mute.Store(true)
	result := make(chan error, 1)
	go func() { result <- j.Commit(t.Context(), orders(10, 10, 100), checkpoint(epoch())) }()
	eventually(t, "the server stores the batch", func() bool { return len(stored(t, direct)) == 20 })
	p.mute.Store(false)
	p.cut()
	began := time.Now()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the commit noticed the broken connection after %s", took)
	}
	commit(t.Context(), t, j, orders(20, 10, 100))
	once(t, direct, 30)
	if c := j.Checkpoint(); c.GetTotal() != 30 {
		t.Errorf("checkpoint %v", c)
	}
}

func TestACommitThatDidNotArriveIsSentAgain(t *testing.T) {
	t.Parallel()
	server, direct := setup(t)
	p := startProxy(t, server.URL())
	j := openJournal(t, connect(t, p.url))
	commit(t.Context(), t, j, orders(0, 10, 100))

	p.deaf.Store(true)
	result := make(chan error, 1)
	go func() { result <- j.Commit(t.Context(), orders(10, 10, 100), checkpoint(epoch())) }()
	select {
	case err := <-result:
		t.Fatalf("committed to a deaf server: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	p.deaf.Store(false)
	p.cut()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	once(t, direct, 20)
}

func TestACommitGivenUpLeavesTheJournalClosed(t *testing.T) {
	t.Parallel()
	server, direct := setup(t)
	p := startProxy(t, server.URL())
	j := openJournal(t, connect(t, p.url))
	p.mute.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- j.Commit(ctx, orders(0, 10, 100), checkpoint(epoch())) }()
	eventually(t, "the server stores the batch", func() bool { return len(stored(t, direct)) == 10 })
	cancel()
	if err := <-result; !errors.Is(err, stream.ErrUnclear) {
		t.Fatalf("got %v, want ErrUnclear", err)
	}
	p.mute.Store(false)
	p.cut()
	if err := j.Commit(t.Context(), orders(0, 10, 100), checkpoint(epoch())); !errors.Is(err, stream.ErrUnclear) {
		t.Fatalf("the journal commits after an unclear answer: %v", err)
	}
	once(t, direct, 10)
}

func TestCommitsSurviveConnectionsThatBreakAnywhere(t *testing.T) {
	t.Parallel()
	server, direct := setup(t)
	p := startProxy(t, server.URL())
	j := openJournal(t, connect(t, p.url))
	done := make(chan struct{})
	var saboteur sync.WaitGroup
	saboteur.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-done:
				return
			case <-time.After(time.Duration(400+n*37%400) * time.Millisecond):
				p.mute.Store(n%3 == 0)
				p.deaf.Store(n%3 == 1)
			}
			select {
			case <-done:
				return
			case <-time.After(time.Duration(n%5) * time.Millisecond):
			}
			p.cut()
			p.mute.Store(false)
			p.deaf.Store(false)
		}
	})
	for n := range 150 {
		commit(t.Context(), t, j, orders(n*20, 20, 500))
	}
	close(done)
	saboteur.Wait()
	once(t, direct, 3000)
}

func TestCommitsSurviveServerRestarts(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	server := serve(t, embednats.Options{Dir: dir})
	same := sameAddress(t, dir, server)
	conn := connect(t, server.URL())
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, conn)
	result := make(chan error, 1)
	restart := make(chan struct{}, 60)
	go func() {
		for n := range 60 {
			if err := j.Commit(t.Context(), orders(n*20, 20, 500), checkpoint(epoch())); err != nil {
				result <- err
				return
			}
			if n%12 == 5 {
				restart <- struct{}{}
			}
		}
		result <- nil
	}()
	for running := true; running; {
		select {
		case <-restart:
			server.Close()
			server = serve(t, same)
		case err := <-result:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		}
	}
	once(t, conn, 1200)
}

// sameAddress starts the server again where its clients look for it.
func sameAddress(tb testing.TB, dir string, server *embednats.Server) embednats.Options {
	tb.Helper()
	address, err := url.Parse(server.URL())
	if err != nil {
		tb.Fatal(err)
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		tb.Fatal(err)
	}
	return embednats.Options{Dir: dir, Port: port, Token: secret.New(address.User.Username())}
}

func TestAFullStreamRefusesAndTakesTheSameCommitLater(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{MaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, conn)
	var rs []record.Record
	var err error
	count := 0
	for ; err == nil; count += 50 {
		rs = orders(count, 50, 3000)
		err = j.Commit(t.Context(), rs, checkpoint(epoch()))
	}
	if !errors.Is(err, stream.ErrFull) || count < 100 {
		t.Fatalf("after %d records: %v, want ErrFull", count, err)
	}
	once(t, conn, count-50)
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{MaxBytes: 8 << 20}); err != nil {
		t.Fatal(err)
	}
	commit(t.Context(), t, j, rs)
	once(t, conn, count)
}

func TestACheckpointThatVanishesStopsTheJournal(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	j := openJournal(t, conn)
	commit(t.Context(), t, j, orders(0, 10, 100))
	s, err := raw(t, server).Stream(t.Context(), stream.Stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(t.Context(), orders(10, 10, 100), checkpoint(epoch())); !errors.Is(err, stream.ErrCheckpointLost) {
		t.Fatalf("got %v, want ErrCheckpointLost", err)
	}
	once(t, conn, 0)
}

func TestAJournalDoesNotOpenOnRecordsWithoutACheckpoint(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 10, 100))
	s, err := raw(t, server).Stream(t.Context(), stream.Stream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(stream.CheckpointSubject(resource, source))); err != nil {
		t.Fatal(err)
	}
	_, err = stream.OpenJournal(t.Context(), conn, resource, source)
	exit, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	if !errors.Is(err, stream.ErrOrphaned) || !ok || exit.ExitCode() != 2 {
		t.Errorf("got %v, want ErrOrphaned with exit code 2", err)
	}
	if _, err := stream.OpenJournal(t.Context(), conn, resource, "other"); err != nil {
		t.Errorf("another source: %v", err)
	}
}

func TestTheCheckpointOutlivesTheRecords(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{MaxAge: time.Second}); err != nil {
		t.Fatal(err)
	}
	j := openJournal(t, conn)
	commit(t.Context(), t, j, orders(0, 10, 100))
	eventually(t, "the records expire", func() bool { return len(stored(t, conn)) == 0 })
	if got := openJournal(t, conn).Checkpoint(); got.GetTotal() != 10 {
		t.Errorf("checkpoint %v", got)
	}
}

// raw is JetStream without this package, for what only an operator would do.
//
//nolint:ireturn // nats.go hands out interfaces
func raw(tb testing.TB, server *embednats.Server) jetstream.JetStream {
	tb.Helper()
	nc, err := nats.Connect(server.URL())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		tb.Fatal(err)
	}
	return js
}

// eventually polls until the condition holds, at most 20 seconds long.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline:
			tb.Fatalf("waited in vain until %s", what)
		}
	}
}

// publishHeaders stores a message without a body.
func publishHeaders(tb testing.TB, server *embednats.Server, subject string, h nats.Header) error {
	tb.Helper()
	_, err := raw(tb, server).PublishMsg(tb.Context(), &nats.Msg{Subject: subject, Header: h})
	return err
}
