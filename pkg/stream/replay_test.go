package stream_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"juliu/pkg/record"
	"juliu/pkg/stream"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

// version is the n-th record of a history of 40 orders in two shops, whose statuses change.
func version(n int, random *rand.Rand) record.Record {
	r := order(random.IntN(40), 50)
	status := []string{"WaitConfirm", "Confirmed", "Cancelled"}[random.IntN(3)]
	r.Payload = &jushuitanv1.SalesOutOrder{Status: &status}
	r.Version.TS = int64(n/50 + 1) // many are stored twice
	return r
}

func status(text string) func(record.Record) bool {
	return func(r record.Record) bool {
		order, ok := r.Payload.(*jushuitanv1.SalesOutOrder)
		return ok && order.GetStatus() == text
	}
}

// bruteForce chooses by reading everything.
func bruteForce(q stream.ReplayQuery, all []record.Record, last uint64) []uint64 {
	newest := map[string]record.Record{}
	var within []record.Record
	for _, r := range all {
		if r.Sequence > last || r.Sequence < q.FromSequence || r.Published.Before(q.From) || !q.To.IsZero() && !r.Published.Before(q.To) ||
			q.Source == "other" || q.Shop != "" && r.Shop != q.Shop || q.Key != "" && r.Key != q.Key {
			continue
		}
		within = append(within, r)
		if have, ok := newest[r.Key]; !ok || r.Version.Compare(have.Version) >= 0 {
			newest[r.Key] = r
		}
	}
	var chosen []uint64
	for _, r := range within {
		if (!q.Newest || newest[r.Key].Sequence == r.Sequence) && (q.Match == nil || q.Match(r)) {
			chosen = append(chosen, r.Sequence)
		}
	}
	return chosen
}

// drain takes so many of a replay, waits until it is over, and returns what it wants and how many it does not.
func drain(t *testing.T, r *stream.Replay, some int) ([]uint64, int) {
	t.Helper()
	intake, over := context.WithTimeout(t.Context(), time.Minute)
	defer over()
	var wanted []uint64
	others := 0
	room := func(ctx context.Context) int {
		for ctx.Err() == nil {
			standing, err := r.Standing(ctx)
			if err != nil {
				t.Error(err)
			}
			switch {
			case standing.Over:
				over()
			case len(wanted)+others < some:
				return some
			}
		}
		return 0
	}
	if err := r.Run(intake, t.Context(), room, func(d stream.Delivery) {
		if r.Wants(d.Sequence) {
			wanted = append(wanted, d.Sequence)
		} else if r.Within(d.Sequence) {
			others++
		}
		if err := d.Ack(); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Error(err)
	}
	return wanted, others
}

func TestAReplayHandsOutWhatWasChosenAndNoMore(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	journal, random := openJournal(t, conn), rand.New(rand.NewPCG(1, 2))
	var middle time.Time
	for page := range 12 { // a checkpoint, which no replay hands out, between each
		var rs []record.Record
		for n := range 25 {
			rs = append(rs, version(page*25+n, random))
		}
		commit(t.Context(), t, journal, rs)
		if page == 5 {
			middle = stored(t, conn)[140].Published.Add(time.Nanosecond)
		}
	}
	all := stored(t, conn)
	key := all[30].Key
	for i, q := range []stream.ReplayQuery{
		{},
		{FromSequence: 100},
		{FromSequence: all[10].Sequence + 1},
		{From: middle},
		{To: middle},
		{From: all[50].Published, To: middle},
		{Shop: "11"},
		{Shop: "99"},
		{Key: key},
		{Key: key, Newest: true},
		{Key: "1", FromSequence: 1},
		{Newest: true},
		{Newest: true, To: middle},
		{Newest: true, Shop: "10", FromSequence: 60},
		{Match: status("Cancelled")},
		{Newest: true, Match: status("Cancelled")},
		{Match: status("Delete")},
		{FromSequence: 100_000},
		{From: time.Now().Add(time.Hour)},
		{To: all[0].Published},
		{To: time.Now().Add(time.Hour)},
		{Newest: true, To: all[0].Published},
		{Match: status("Cancelled"), To: all[0].Published},
		{Source: source, Resource: resource},
		{Source: "other"},
	} {
		want := bruteForce(q, all, all[len(all)-1].Sequence)
		checkReplay(t, conn, q, strconv.Itoa(i), want, func() { all = moreOf(t, conn, journal, random) })
	}
}

// checkReplay plans, stores more, and then takes everything.
func checkReplay(t *testing.T, conn *stream.Conn, q stream.ReplayQuery, id string, want []uint64, more func()) {
	t.Helper()
	plan, err := stream.PlanReplay(t.Context(), conn, q)
	if err != nil {
		t.Fatal(err)
	}
	more()
	if int(plan.Chosen) != len(want) {
		t.Errorf("%+v: %d chosen, want %d: %+v", q, plan.Chosen, len(want), plan)
	}
	if plan.Chosen == 0 {
		return
	}
	if err := stream.CreateReplay(t.Context(), conn, id, plan); err != nil {
		t.Fatal(err)
	}
	replay, err := stream.OpenReplay(t.Context(), conn, id, plan)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := conn.JetStream().Consumer(t.Context(), stream.Stream, stream.ReplayConsumer(id)); err != nil || k.CachedInfo().Config.InactiveThreshold != 7*24*time.Hour {
		t.Errorf("a replay that nobody wants is not forgotten: %v", err)
	}
	if replay.Wants(plan.Last + 1) {
		t.Errorf("%+v: wants what was stored later: %+v", q, plan)
	}
	got, others := drain(t, replay, int(plan.Passed))
	if !slices.Equal(got, want) || others != int(plan.Passed-plan.Chosen) {
		t.Errorf("%+v: handed out %v and %d others, want %v: %+v", q, got, others, want, plan)
	}
	for range 2 {
		if err := stream.RemoveReplay(t.Context(), conn, id, plan); err != nil {
			t.Error(err)
		}
	}
	_, err = stream.OpenReplay(t.Context(), conn, id, plan)
	if _, gone := errors.AsType[*stream.TopologyError](err); !gone {
		t.Errorf("opening a removed replay: %v", err)
	}
}

// moreOf stores one more record, which plans made before must not see, and returns all there are.
func moreOf(t *testing.T, conn *stream.Conn, j *stream.Journal, random *rand.Rand) []record.Record {
	t.Helper()
	commit(t.Context(), t, j, []record.Record{version(len(stored(t, conn)), random)})
	return stored(t, conn)
}

func TestAReplayOfAnEmptyStreamIsEmpty(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	for _, q := range []stream.ReplayQuery{{}, {Newest: true}, {FromSequence: 1, To: time.Now()}} {
		if plan, err := stream.PlanReplay(t.Context(), conn, q); err != nil || plan.Chosen != 0 || plan.Passed != 0 {
			t.Errorf("%+v: %+v, %v", q, plan, err)
		}
	}
	if _, err := stream.PlanReplay(t.Context(), conn, stream.ReplayQuery{FromSequence: 1, From: time.Now()}); !errors.Is(err, stream.ErrReadOptions) {
		t.Errorf("two begins: %v", err)
	}
}

// What is in hand of a loader may yet be lost with it, whatever is settled behind it; and what is stored later must not keep a replay from its end.
func TestAReplayIsOverWhenAllOfItIsSettled(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	journal := openJournal(t, conn)
	commit(t.Context(), t, journal, orders(0, 10, 50))
	plan, err := stream.PlanReplay(t.Context(), conn, stream.ReplayQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.CreateReplay(t.Context(), conn, "x", plan); err != nil {
		t.Fatal(err)
	}
	replay, err := stream.OpenReplay(t.Context(), conn, "x", plan)
	if err != nil {
		t.Fatal(err)
	}
	var taken []stream.Delivery
	intake, enough := context.WithTimeout(t.Context(), time.Minute)
	defer enough()
	room := func(ctx context.Context) int {
		if ctx.Err() != nil {
			return 0
		}
		return 10
	}
	if err := replay.Run(intake, t.Context(), room, func(d stream.Delivery) {
		if taken = append(taken, d); len(taken) == 10 {
			enough()
		}
	}); err != nil {
		t.Fatal(err)
	}
	settle := func(ds []stream.Delivery, pending int) bool {
		for _, d := range ds {
			if err := d.Ack(); err != nil {
				t.Fatal(err)
			}
		}
		for { // the server hears of it after us
			k, err := conn.JetStream().Consumer(t.Context(), stream.Stream, stream.ReplayConsumer("x"))
			if err != nil {
				t.Fatal(err)
			}
			standing, err := replay.Standing(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if k.CachedInfo().NumAckPending == pending {
				return standing.Over
			}
		}
	}
	if settle(nil, 10) || settle(taken[1:], 1) {
		t.Error("over with some in hand")
	}
	commit(t.Context(), t, journal, orders(10, 20, 50))
	if !settle(taken[:1], 0) {
		t.Error("not over though all is settled")
	}
}

func TestAReplayTellsMerchantsApartAndSkipsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	other, err := stream.OpenJournal(t.Context(), conn, resource, "other")
	if err != nil {
		t.Fatal(err)
	}
	theirs := orders(0, 10, 50) // of the same numbers
	for i := range theirs {
		theirs[i].Source = "other"
	}
	commit(t.Context(), t, openJournal(t, conn), orders(0, 10, 50))
	commit(t.Context(), t, other, theirs)
	headers := nats.Header{stream.HeaderKey: {"1"}, stream.HeaderVersion: {"1"}, stream.HeaderHash: {record.Hash{1}.String()}}
	for _, h := range []nats.Header{headers, {}} {
		if err := publishHeaders(t, server, "jst.record.sales-out.main.1.1", h); err != nil {
			t.Fatal(err)
		}
	}
	for want, q := range map[uint64]stream.ReplayQuery{
		21: {Newest: true}, // that without a body can be loaded, and becomes a dead letter then
		20: {Newest: true, Match: func(r record.Record) bool { return r.Payload.ProtoReflect().IsValid() }},
	} {
		if plan, err := stream.PlanReplay(t.Context(), conn, q); err != nil || plan.Chosen != want {
			t.Errorf("%+v, %v, want %d", plan, err, want)
		}
	}
}

func TestAReplayWhoseListIsGoneIsGone(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 10, 50))
	plan := stream.ReplayPlan{Filter: "jst.record.>", First: 1, Last: 10, Passed: 10, Chosen: 1}
	if err := stream.CreateReplay(t.Context(), conn, "x", plan); err != nil {
		t.Fatal(err)
	}
	plan.Listed = true
	_, err := stream.OpenReplay(t.Context(), conn, "x", plan)
	if _, gone := errors.AsType[*stream.TopologyError](err); !gone {
		t.Errorf("opened: %v", err)
	}
}

// Records may be deleted, or expire, after a replay was planned: it ends all the same.
func TestAReplayEndsWhereItsLastRecordWasDeleted(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 10, 50))
	plan, err := stream.PlanReplay(t.Context(), conn, stream.ReplayQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.CreateReplay(t.Context(), conn, "x", plan); err != nil {
		t.Fatal(err)
	}
	s, err := conn.JetStream().Stream(t.Context(), stream.Stream)
	if err != nil {
		t.Fatal(err)
	}
	for sequence := plan.Last - 3; sequence <= plan.Last; sequence++ {
		if err := s.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
	replay, err := stream.OpenReplay(t.Context(), conn, "x", plan)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := drain(t, replay, 6); len(got) != 6 {
		t.Errorf("%d records, want the 6 that are left", len(got))
	}
}
