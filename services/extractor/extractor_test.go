package extractor_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/process"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
	"juliu/services/extractor"
)

func TestExtractorStoresTheNewestVersionOfEveryOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.Config{
		Orders: 2500, History: 24 * time.Hour, Faults: sandbox.AllFaults(0),
		Traffic: sandbox.Traffic{PerSecond: 100, NewShare: 0.4, EditShare: 0.2, LateShare: 0.1, LateMax: 5 * time.Second, DriftPerCall: 2},
	})
	traffic := make(chan error, 1)
	ctx := t.Context()
	go func() { traffic <- b.box.Run(ctx) }()
	e := b.extractor(t, b.conn)
	if err := runUntil(t, e, caughtUp(e)); err != nil {
		t.Fatal(err)
	}
	b.box.Settle()
	e = b.extractor(t, b.conn) // a restart in between: it must neither lose nor repeat anything
	if err := runUntil(t, e, caughtUp(e)); err != nil {
		t.Fatal(err)
	}
	b.compare(t)
}

func TestExtractorReadsMoreRowsOfOneSecondThanABatchHolds(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.Config{Orders: 2200, History: time.Millisecond})
	e := b.extractor(t, b.conn)
	if err := runUntil(t, e, caughtUp(e)); err != nil {
		t.Fatal(err)
	}
	b.compare(t)
}

func TestExtractorWorksWithEitherMeaningOfTheEdges(t *testing.T) {
	t.Parallel()
	for _, edges := range []sandbox.Edges{sandbox.InclusiveEdges, sandbox.HalfOpenEdges, sandbox.ExclusiveEdges} {
		t.Run(fmt.Sprint(edges), func(t *testing.T) {
			t.Parallel()
			b := setup(t, sandbox.Config{Orders: 1500, History: time.Hour, Edges: edges})
			b.config.Window = 10 * time.Minute
			e := b.extractor(t, b.conn)
			if err := runUntil(t, e, caughtUp(e)); err != nil {
				t.Fatal(err)
			}
			b.compare(t)
		})
	}
}

func TestExtractorDeadLettersARowWithoutIdentityByItself(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.Config{Orders: 300, Faults: sandbox.Faults{NoIdentity: 0.05}})
	nameless := b.box.Ledger().Nameless()
	if nameless == 0 {
		t.Fatal("the sandbox made no row without identity")
	}
	e := b.extractor(t, b.conn)
	if err := runUntil(t, e, caughtUp(e)); err != nil {
		t.Fatal(err)
	}
	b.compare(t)
	snap, err := stream.TakeSnapshot(t.Context(), b.conn)
	if err != nil {
		t.Fatal(err)
	}
	if snap.DeadLetters != uint64(nameless) {
		t.Fatalf("%d dead letters, want %d", snap.DeadLetters, nameless)
	}
}

func TestOfTwoExtractorsOneIsFenced(t *testing.T) {
	t.Parallel()
	const orders = 120
	for round := range 50 {
		b := setup(t, sandbox.Config{Orders: orders})
		errs := make([]error, 2)
		var group sync.WaitGroup
		running := make([]*extractor.Extractor, 2)
		for i := range errs {
			running[i] = b.extractor(t, b.connect(t))
		}
		var ended atomic.Int32
		for i, e := range running {
			group.Go(func() {
				// The one that goes on stops when the other has ended.
				errs[i] = runUntil(t, e, func() bool {
					return ended.Load() > 0 && running[0].Stats().Stored+running[1].Stats().Stored >= orders
				})
				ended.Add(1)
			})
		}
		group.Wait()
		fenced := 0
		for _, err := range errs {
			if errors.Is(err, stream.ErrFenced) && process.ExitCode(err) == process.ExitFenced {
				fenced++
			} else if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if fenced != 1 {
			t.Fatalf("round %d: %d extractors fenced, want 1: %v", round, fenced, errs)
		}
		b.compare(t)
	}
}

func TestExtractorWithoutCheckpointAndStartRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, sandbox.Config{})
	b.config.Start = time.Time{}
	err := b.extractor(t, b.conn).Run(t.Context(), t.Context())
	if process.ExitCode(err) != process.ExitUsage || !strings.Contains(err.Error(), "EXTRACTOR_START") {
		t.Fatalf("got %v", err)
	}
}

func TestExtractorTellsWhatTheERPRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		box  sandbox.Config
		edit func(*extractor.Config)
		want string
	}{
		"a wrong secret":    {sandbox.Config{}, func(c *extractor.Config) { c.ERP.AppSecret = secret.New("not-the-secret") }, "app secret"},
		"a dead token":      {sandbox.Config{}, func(c *extractor.Config) { c.ERP.AccessToken = secret.New("a-dead-token") }, "token"},
		"an unlisted IP":    {sandbox.Config{AllowedIPs: []string{"203.0.113.9"}}, nil, "127.0.0.1"},
		"no grant":          {sandbox.Config{Denied: true}, nil, "interface"},
		"clock an hour off": {sandbox.Config{Faults: sandbox.Faults{ClockSkew: time.Hour}}, nil, "clock"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, c.box)
			if c.edit != nil {
				c.edit(&b.config)
			}
			began := time.Now()
			err := runUntil(t, b.extractor(t, b.conn), func() bool { return time.Since(began) > 10*time.Second })
			if err == nil {
				t.Fatal("it did not end by itself within 10 s")
			}
			if text := err.Error(); !strings.Contains(text, c.want) || strings.Contains(text, "not-the-secret") || strings.Contains(text, "a-dead-token") {
				t.Fatalf("the error does not help: %s", text)
			}
		})
	}
}

func TestExtractorRefusesToLeaveAGapUnnoticed(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(t *testing.T, b *bench)
		want   error
	}{
		"another filter than the checkpoint's": {
			change: func(_ *testing.T, b *bench) { b.config.Filter.Status = "" },
			want:   extractor.ErrFilterChanged,
		},
		"a checkpoint in the future": {
			change: func(t *testing.T, b *bench) {
				t.Helper()
				journal, err := stream.OpenJournal(t.Context(), b.conn, "sales-out", "main")
				if err != nil {
					t.Fatal(err)
				}
				ahead := proto.CloneOf(journal.Checkpoint())
				ahead.Cursor = timestamppb.New(time.Now().Add(time.Hour))
				if err := journal.Commit(t.Context(), nil, ahead); err != nil {
					t.Fatal(err)
				}
			},
			want: extractor.ErrFutureCursor,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, sandbox.Config{Orders: 60})
			b.config.Filter.Status = "Confirmed"
			e := b.extractor(t, b.conn)
			if err := runUntil(t, e, caughtUp(e)); err != nil {
				t.Fatal(err)
			}
			c.change(t, b)
			e = b.extractor(t, b.conn)
			err := runUntil(t, e, caughtUp(e))
			if !errors.Is(err, c.want) || process.ExitCode(err) != process.ExitUsage {
				t.Fatalf("got %v", err)
			}
		})
	}
}
