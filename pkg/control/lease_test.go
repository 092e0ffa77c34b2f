package control_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/stream"
)

const source = "main"

// worker holds a lease in the background and tells when its work begins and ends.
type worker struct {
	name    string
	began   chan context.Context
	release context.CancelFunc // ends fn, not the context
	stop    context.CancelFunc // ends the context
	result  chan error
}

func openLeases(tb testing.TB, conn *stream.Conn) *control.Leases {
	tb.Helper()
	leases, err := control.OpenLeases(tb.Context(), conn, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	return leases
}

func hold(tb testing.TB, leases *control.Leases, lease, name string) *worker {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	released, release := context.WithCancel(context.Background())
	w := &worker{name: name, began: make(chan context.Context, 1), release: release, stop: stop, result: make(chan error, 1)}
	go func() {
		w.result <- leases.Hold(ctx, lease, control.Holder{Name: name, Since: epoch()}, func(ctx context.Context) error {
			w.began <- ctx
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-released.Done():
				return nil
			}
		})
	}()
	tb.Cleanup(func() {
		release()
		stop()
	})
	return w
}

// within waits for a value, and returns it with the time that it took.
func within[T any](tb testing.TB, what string, limit time.Duration, values <-chan T) (T, time.Duration) {
	tb.Helper()
	began := time.Now()
	select {
	case v := <-values:
		took := time.Since(began)
		tb.Logf("%s took %v", what, took)
		return v, took
	case <-time.After(limit):
		tb.Fatalf("%s took longer than %v", what, limit)
		panic("unreachable")
	}
}

// setTTL shortens the leases, so that tests end soon.
func setTTL(tb testing.TB, server *embednats.Server, ttl time.Duration) {
	tb.Helper()
	editBucket(tb, rawJS(tb, server.URL()), control.LeaseBucket, func(cfg *jetstream.StreamConfig) {
		cfg.MaxAge, cfg.Duplicates = ttl, ttl
	})
}

func TestAReleaseIsFollowedWithinASecondAndAHalf(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	first := hold(t, openLeases(t, conn), source, "first")
	within(t, "the first lease", 2*time.Second, first.began)
	leases := openLeases(t, connect(t, server.URL()))
	second := hold(t, leases, source, "second")
	other := hold(t, leases, "other", "third")
	within(t, "another source's lease", 2*time.Second, other.began)
	eventually(t, "the holder is told", func() bool {
		holder, held, err := leases.Current(t.Context(), source)
		return err == nil && held && holder == control.Holder{Name: "first", Since: epoch()}
	})
	if _, held, err := leases.Current(t.Context(), "nobody's"); held || err != nil {
		t.Errorf("nobody's lease is held: %v, %v", held, err)
	}
	first.release()
	if err, _ := within(t, "the release", time.Second, first.result); err != nil {
		t.Error(err)
	}
	within(t, "the takeover", 1500*time.Millisecond, second.began)
	next := hold(t, leases, source, "next")
	second.stop()
	if err, _ := within(t, "the end of the context", time.Second, second.result); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	within(t, "the takeover", 1500*time.Millisecond, next.began)
}

func TestAStandbyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	leases := openLeases(t, conn)
	within(t, "the lease", 2*time.Second, hold(t, leases, source, "holder").began)
	standby := hold(t, leases, source, "standby")
	standby.stop()
	if err, _ := within(t, "the end", time.Second, standby.result); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAKilledHolderIsFollowed(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	p := startProxy(t, server.URL())
	killed := hold(t, openLeases(t, connect(t, p.url)), source, "killed")
	t.Cleanup(p.heal)
	within(t, "the lease", 2*time.Second, killed.began)
	began := make(chan string, 4)
	for n := range 4 {
		w := hold(t, openLeases(t, conn), source, "standby "+strconv.Itoa(n))
		go func() {
			select {
			case <-w.began:
				began <- w.name
			case <-t.Context().Done():
			}
		}()
	}
	p.deaf.Store(true) // nothing of it reaches the server any more, as after kill -9
	p.mute.Store(true)
	within(t, "the takeover", control.LeaseTTL+2*time.Second, began)
	if err, _ := within(t, "the killed holder's own end", time.Second, killed.result); !errors.Is(err, control.ErrLeaseLost) {
		t.Error(err)
	}
	select {
	case name := <-began:
		t.Errorf("%s holds the lease too", name)
	case <-time.After(control.LeaseTTL):
	}
}

func TestAFrozenHolderEndsBeforeItsFollowerBegins(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	setTTL(t, server, 3*time.Second)
	p := startProxy(t, server.URL())
	frozen := hold(t, openLeases(t, connect(t, p.url)), source, "frozen")
	t.Cleanup(p.heal)
	held, _ := within(t, "the lease", 2*time.Second, frozen.began)
	follower := hold(t, openLeases(t, conn), source, "follower")
	p.mute.Store(true) // renewals may arrive, but no answer does
	p.deaf.Store(true)
	within(t, "the takeover", 5*time.Second, follower.began)
	if !errors.Is(context.Cause(held), control.ErrLeaseLost) {
		t.Errorf("the follower works while the frozen holder does: %v", context.Cause(held))
	}
}

func TestAHolderSurvivesLostAnswers(t *testing.T) {
	t.Parallel()
	server, _ := setup(t)
	const ttl = 3 * time.Second
	setTTL(t, server, ttl)
	p := startProxy(t, server.URL())
	holder := hold(t, openLeases(t, connect(t, p.url)), source, "holder")
	held, _ := within(t, "the lease", 2*time.Second, holder.began)
	js := rawJS(t, server.URL())
	kv, err := js.KeyValue(t.Context(), control.LeaseBucket)
	if err != nil {
		t.Fatal(err)
	}
	revision := func() uint64 {
		e, err := kv.Get(t.Context(), source)
		if err != nil {
			return 0
		}
		return e.Revision()
	}
	for range 3 {
		before := revision()
		p.mute.Store(true)
		muted := time.Now()
		eventually(t, "a renewal's answer is lost", func() bool { return revision() > before || time.Since(muted) > ttl/4+100*time.Millisecond })
		p.cut()
		p.mute.Store(false)
		before = revision()
		eventually(t, "the lease is renewed again", func() bool { return revision() > before || held.Err() != nil })
		if held.Err() != nil {
			t.Fatalf("the lease is lost: %v", context.Cause(held))
		}
	}
	holder.release()
	if err, _ := within(t, "the release", time.Second, holder.result); err != nil {
		t.Error(err)
	}
	if revision() != 0 {
		t.Error("the lease was not given back")
	}
}

func TestALeaseThatAnotherHadMeanwhileIsNotTakenAgain(t *testing.T) {
	t.Parallel()
	server, _ := setup(t)
	const ttl = 3 * time.Second
	setTTL(t, server, ttl)
	p := startProxy(t, server.URL())
	holder := hold(t, openLeases(t, connect(t, p.url)), source, "holder")
	within(t, "the lease", 2*time.Second, holder.began)
	kv, err := rawJS(t, server.URL()).KeyValue(t.Context(), control.LeaseBucket)
	if err != nil {
		t.Fatal(err)
	}
	p.mute.Store(true)
	muted := time.Now()
	eventually(t, "the holder knows not whether it has renewed", func() bool { return time.Since(muted) > ttl/4+100*time.Millisecond })
	if err := kv.Delete(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	another, err := kv.Create(t.Context(), source, []byte(`{"name":"next","hold":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), source, jetstream.LastRevision(another)); err != nil {
		t.Fatal(err)
	}
	p.heal()
	if err, _ := within(t, "the end", 2*ttl, holder.result); !errors.Is(err, control.ErrLeaseLost) {
		t.Error(err)
	}
}

func TestALeaseThatWasGivenAwayEndsTheWork(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	holder := hold(t, openLeases(t, conn), source, "holder")
	held, _ := within(t, "the lease", 2*time.Second, holder.began)
	kv, err := rawJS(t, server.URL()).KeyValue(t.Context(), control.LeaseBucket)
	if err != nil {
		t.Fatal(err)
	}
	// As a process finds it that was stopped for longer than the TTL.
	if err := kv.Delete(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	revision, err := kv.Create(t.Context(), source, []byte(`{"name":"next","hold":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err, _ := within(t, "the end", control.LeaseTTL/4+500*time.Millisecond, holder.result); !errors.Is(err, control.ErrLeaseLost) {
		t.Error(err)
	}
	if !errors.Is(context.Cause(held), control.ErrLeaseLost) {
		t.Error(context.Cause(held))
	}
	if e, err := kv.Get(t.Context(), source); err != nil || e.Revision() != revision {
		t.Errorf("the loser took away its follower's lease: %v", err)
	}
}

func TestAHolderSurvivesARestartOfNATS(t *testing.T) {
	t.Parallel()
	server, same := serve(t, embednats.Options{})
	conn := connect(t, server.URL())
	if _, err := control.Provision(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	holder := hold(t, openLeases(t, conn), source, "holder")
	held, _ := within(t, "the lease", 2*time.Second, holder.began)
	standby := hold(t, openLeases(t, connect(t, server.URL())), source, "standby")
	server.Close()
	serve(t, same)
	select {
	case <-held.Done():
		t.Errorf("the restart ended the work: %v", context.Cause(held))
	case <-time.After(2 * control.LeaseTTL):
	}
	holder.release()
	within(t, "the takeover", 1500*time.Millisecond, standby.began)
}

func TestAnOutageEndsTheWorkAndNotTheWait(t *testing.T) {
	t.Parallel()
	server, same := serve(t, embednats.Options{})
	conn := connect(t, server.URL())
	if _, err := control.Provision(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	setTTL(t, server, 2*time.Second)
	leases := openLeases(t, conn)
	holder := hold(t, leases, source, "holder")
	within(t, "the lease", 2*time.Second, holder.began)
	standby := hold(t, leases, source, "standby")
	server.Close()
	if err, _ := within(t, "the end of the work", 3*time.Second, holder.result); !errors.Is(err, control.ErrLeaseLost) {
		t.Error(err)
	}
	serve(t, same)
	within(t, "the takeover", 5*time.Second, standby.began)
}

func TestTheWorksOwnErrorGoesBeforeTheLease(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	leases := openLeases(t, conn)
	mine := errors.New("mine")
	err := leases.Hold(t.Context(), source, control.Holder{}, func(context.Context) error { return mine })
	if !errors.Is(err, mine) {
		t.Error(err)
	}
	setTTL(t, server, time.Second)
	leases = openLeases(t, conn)
	kv, err := rawJS(t, server.URL()).KeyValue(t.Context(), control.LeaseBucket)
	if err != nil {
		t.Fatal(err)
	}
	for want, work := range map[error]error{mine: mine, control.ErrLeaseLost: nil} {
		err := leases.Hold(t.Context(), source, control.Holder{}, func(ctx context.Context) error {
			if err := kv.Delete(ctx, source); err != nil {
				return err
			}
			<-ctx.Done()
			return work
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}
