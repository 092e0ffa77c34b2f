package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"juliu/pkg/embednats"
	"juliu/pkg/record"
	"juliu/pkg/stream"
)

// newer is the nth order with a later version.
func newer(n int) record.Record {
	r := order(n, 100)
	r.Version.TS += 1_000_000
	r.Version.Modified = r.Version.Modified.Add(time.Hour)
	return r
}

// reject dead-letters the next count deliveries, of four causes.
func reject(tb testing.TB, conn *stream.Conn, count int) []stream.Delivery {
	tb.Helper()
	n := 0
	return collect(tb, openConsumer(tb, conn), count, func(d stream.Delivery) error {
		n++
		return errors.Join(conn.KeepDelivery(tb.Context(), d, fmt.Sprintf("cause %d", n%4), "rejected"), d.Term("rejected"))
	})
}

func letters(tb testing.TB, conn *stream.Conn) []stream.Letter {
	tb.Helper()
	list, err := stream.Letters(tb.Context(), conn)
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// requeue requeues the letters and counts what became of them.
func requeue(ctx context.Context, tb testing.TB, conn *stream.Conn, list []stream.Letter) map[stream.Outcome]int {
	tb.Helper()
	r, err := stream.PlanRequeue(ctx, conn, list)
	if err != nil {
		tb.Fatal(err)
	}
	count := map[stream.Outcome]int{}
	if err := r.Run(ctx, "ann@desk", list, func(_ stream.Letter, o stream.Outcome) error {
		count[o]++
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return count
}

// acts are the audit records' verbs, each once for each letter.
func acts(tb testing.TB, conn *stream.Conn) map[string]int {
	tb.Helper()
	count := map[string]int{}
	if err := stream.Acts(tb.Context(), conn, func(a stream.Act) error {
		if a.Who != "ann@desk" || a.At.IsZero() {
			tb.Errorf("act %+v", a)
		}
		count[a.What] += len(a.Letters)
		return nil
	}); err != nil {
		tb.Fatal(err)
	}
	return count
}

// The bar: 500 letters of four causes, requeued at once, inside the stream's duplicate window, are delivered 500 times; 60 more, whose
// orders have a newer version, end as superseded. The records on the stream stay what the extractor stored.
func TestRequeuedLettersAreDeliveredAndSupersededOnesAreNot(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	j := openJournal(t, conn)
	commit(t.Context(), t, j, orders(0, 560, 100))
	reject(t, conn, 560)
	changed := make([]record.Record, 0, 60)
	for n := range 60 {
		changed = append(changed, newer(n*9))
	}
	commit(t.Context(), t, j, changed)
	collect(t, openConsumer(t, conn), 60, stream.Delivery.Ack)
	before := stored(t, conn)

	list := letters(t, conn)
	if got := requeue(t.Context(), t, conn, list); len(list) != 560 || got[stream.Requeued] != 500 || got[stream.Superseded] != 60 {
		t.Fatalf("%d letters became %v", len(list), got)
	}
	keys := map[string]int{}
	for _, d := range collect(t, openConsumer(t, conn), 500, stream.Delivery.Ack) {
		keys[d.Record.Key]++
		if d.Record.Version.TS > 1000 || !strings.HasSuffix(d.Subject, ".requeue") || d.Record.Sequence != d.Sequence {
			t.Fatalf("delivered %+v", d)
		}
	}
	for _, r := range changed {
		if keys[r.Key] > 0 {
			t.Errorf("order %s is delivered over its newer version", r.Key)
		}
	}
	if snap := lag(t, conn); len(keys) != 500 || snap.Lag() != 0 || snap.DeadLetters != 0 || snap.Records != 620 {
		t.Errorf("%d orders delivered; %+v", len(keys), snap)
	}
	if after := stored(t, conn); len(after) != len(before) {
		t.Errorf("%d records are on the stream, %d before", len(after), len(before))
	}
	if got := acts(t, conn); got[stream.ActRequeue] != 500 || got[stream.ActSupersede] != 60 {
		t.Errorf("audit: %v", got)
	}
}

// A record that fails again is one letter with the next attempt, which still says where the record stood first.
func TestASecondFailureIsTheSameEntryWithTheNextAttempt(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 3, 100))
	reject(t, conn, 3)
	first := letters(t, conn)
	for attempt := 2; attempt < 5; attempt++ {
		if got := requeue(t.Context(), t, conn, letters(t, conn)); got[stream.Requeued] != 3 {
			t.Fatalf("attempt %d: %v", attempt, got)
		}
		reject(t, conn, 3)
		list := letters(t, conn)
		if len(list) != 3 {
			t.Fatalf("%d letters", len(list))
		}
		for i, l := range list {
			was := first[i]
			if l.Attempt != attempt || l.ID == was.ID || l.Subject != was.Subject || l.Sequence != was.Sequence || !l.Stored.Equal(was.Stored) ||
				l.Key != was.Key || l.Class != "rejected" || l.Deliveries != 1 || l.Consumer != stream.LiveConsumer || !l.Kept.After(was.Kept) {
				t.Errorf("attempt %d: letter %+v was %+v", attempt, l, was)
			}
		}
	}
}

// What an amended row replaced is superseded, too; a row that was stored before, with the same version, replaces nothing.
func TestOfEqualVersionsTheLaterOneStands(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	j := openJournal(t, conn)
	amended := order(0, 100)
	amended.Hash[5] = 9
	commit(t.Context(), t, j, orders(0, 1, 100))
	commit(t.Context(), t, j, []record.Record{amended})
	reject(t, conn, 2)
	if got := requeue(t.Context(), t, conn, letters(t, conn)); got[stream.Superseded] != 1 || got[stream.Requeued] != 1 {
		t.Fatal(got)
	}
	if d := collect(t, openConsumer(t, conn), 1, stream.Delivery.Ack)[0]; d.Record.Hash != amended.Hash {
		t.Error("the replaced row is delivered")
	}
}

// A version that is stored after the plan was made is found by the server.
func TestAnOlderVersionIsNeverPublishedOverANewerOne(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	j := openJournal(t, conn)
	commit(t.Context(), t, j, orders(0, 40, 100))
	reject(t, conn, 40)
	list := letters(t, conn)
	r, err := stream.PlanRequeue(t.Context(), conn, list)
	if err != nil {
		t.Fatal(err)
	}
	commit(t.Context(), t, j, []record.Record{newer(7), newer(8), order(1000, 10)})
	got := map[stream.Outcome][]string{}
	if err := r.Run(t.Context(), "ann@desk", list, func(l stream.Letter, o stream.Outcome) error {
		got[o] = append(got[o], l.Key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{order(7, 0).Key, order(8, 0).Key}; len(got[stream.Requeued]) != 38 || !slices.Equal(got[stream.Superseded], want) {
		t.Errorf("got %v", got)
	}
	if got := acts(t, conn); got[stream.ActSupersede] != 2 {
		t.Errorf("audit: %v", got)
	}
}

// Two tools at once: each record is given to the loaders once.
func TestTwoToolsAtOnceDoubleNothing(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 100, 100))
	reject(t, conn, 100)
	list := letters(t, conn)
	done := make(chan struct{})
	other := connect(t, server.URL())
	go func() {
		defer close(done)
		requeue(t.Context(), t, other, list)
	}()
	requeue(t.Context(), t, conn, list)
	<-done
	if snap := lag(t, conn); snap.Pending != 100 || snap.DeadLetters != 0 {
		t.Errorf("%d wait for the loaders, %d dead letters are left; want 100 and 0", snap.Pending, snap.DeadLetters)
	}
}

// The id of a copy that was purged is remembered by the server; the record is given to the loaders none the less.
func TestACopyThatWasPurgedIsStoredAnew(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 1, 100))
	reject(t, conn, 1)
	js := raw(t, server)
	dead, err := js.Stream(t.Context(), stream.DeadLetterStream)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), stream.Stream)
	if err != nil {
		t.Fatal(err)
	}
	letter := message(t, dead, 1)
	id := fmt.Sprintf("requeue/1/%d", letter.Time.UnixNano())
	purged, err := js.Publish(t.Context(), stream.RecordSubject(order(0, 0))+".requeue", nil, jetstream.WithMsgID(id))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), purged.Sequence); err != nil {
		t.Fatal(err)
	}
	list := letters(t, conn)
	if got := requeue(t.Context(), t, conn, list); got[stream.Requeued] != 1 {
		t.Fatal(got)
	}
	copied := message(t, s, purged.Sequence+1)
	if !bytes.Equal(copied.Data, letter.Data) || copied.Header.Get(stream.HeaderRequeuedFrom) != "1" || copied.Header.Get(stream.HeaderAttempt) != "2" ||
		copied.Header.Get(stream.HeaderReason) != "" || copied.Header.Get(stream.HeaderHash) != letter.Header.Get(stream.HeaderHash) {
		t.Errorf("the copy is %+v", copied)
	}
	if got := requeue(t.Context(), t, conn, list); got[stream.Gone] != 1 {
		t.Errorf("a letter that is gone became %v", got)
	}
}

// What another tool published after the plan was made, and did not live to finish, is found however long the question whether to begin was left
// unanswered: by then the server has forgotten the copy's id.
func TestACopyThatIsMadeWhileTheOperatorThinksIsFound(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 1, 100))
	reject(t, conn, 1)
	js := raw(t, server)
	s, err := js.Stream(t.Context(), stream.Stream)
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.Duplicates = 100 * time.Millisecond
	if s, err = js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	dead, err := js.Stream(t.Context(), stream.DeadLetterStream)
	if err != nil {
		t.Fatal(err)
	}
	list := letters(t, conn)
	plan, err := stream.PlanRequeue(t.Context(), conn, list)
	if err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprintf("requeue/1/%d", message(t, dead, 1).Time.UnixNano())
	if _, err := js.Publish(t.Context(), stream.RecordSubject(order(0, 0))+".requeue", nil, jetstream.WithMsgID(id)); err != nil {
		t.Fatal(err)
	}
	for known := true; known; { // what came later is forgotten later
		ack, err := js.Publish(t.Context(), "jst.record.other.main.1.1", nil, jetstream.WithMsgID("probe"))
		if err != nil {
			t.Fatal(err)
		}
		known = ack.Sequence < 5
	}
	var got stream.Outcome
	if err := plan.Run(t.Context(), "ann@desk", list, func(_ stream.Letter, o stream.Outcome) error {
		got = o
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter("jst.record.*.*.*.*.requeue"))
	if err != nil {
		t.Fatal(err)
	}
	if copies := info.State.Subjects[stream.RecordSubject(order(0, 0))+".requeue"]; got != stream.Finished || copies != 1 || len(letters(t, conn)) != 0 {
		t.Errorf("it became %s, with %d copies", got, copies)
	}
}

// Who drops a letter that was given to the loaders meanwhile is not told that it was dropped.
func TestALetterThatWasRequeuedMeanwhileIsNotDropped(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 2, 100))
	reject(t, conn, 2)
	list := letters(t, conn)
	requeue(t.Context(), t, conn, list[:1])
	got := map[uint64]stream.Outcome{}
	if err := stream.Drop(t.Context(), conn, "ann@desk", list, func(l stream.Letter, o stream.Outcome) error {
		got[l.ID] = o
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got[1] != stream.Gone || got[2] != stream.Dropped {
		t.Errorf("they became %v", got)
	}
}

// Letters that the loader cannot take are told apart and stay.
func TestARowWithoutIdentityIsNotGivenToTheLoaders(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	if err := conn.KeepRow(t.Context(), source, resource, []byte(`{"o_id":null}`), "no identity", "no-identity"); err != nil {
		t.Fatal(err)
	}
	list := letters(t, conn)
	if got := requeue(t.Context(), t, conn, list); got[stream.Unloadable] != 1 {
		t.Errorf("it became %v", got)
	}
	d, err := stream.ReadLetter(t.Context(), conn, list[0])
	if err != nil || d.Err != nil || string(d.Record.Raw) != `{"o_id":null}` || d.Record.Source != source || d.Record.Resource != resource {
		t.Errorf("it holds %+v, %v", d, err)
	}
	if err := stream.Drop(t.Context(), conn, "ann@desk", list, func(_ stream.Letter, o stream.Outcome) error {
		if o != stream.Dropped {
			t.Errorf("the letter is %s", o)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.ReadLetter(t.Context(), conn, list[0]); !errors.Is(err, stream.ErrNoLetter) || len(letters(t, conn)) != 0 {
		t.Errorf("dropped, it reads %v", err)
	}
	if got := acts(t, conn); got[stream.ActDrop] != 1 || got[stream.ActRequeue] != 0 {
		t.Errorf("audit: %v", got)
	}
}

// An order larger than a message, and letters of one record that a crash left, go through as others do.
func TestLargeOrdersAndRepeatedLettersAreRequeuedOnce(t *testing.T) {
	t.Parallel()
	server := serve(t, embednats.Options{MaxPayload: 1 << 16})
	conn := connect(t, server.URL())
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	large := noise(2, 1<<17)
	commit(t.Context(), t, openJournal(t, conn), []record.Record{large})
	d := reject(t, conn, 1)[0]
	dead, err := raw(t, server).Stream(t.Context(), stream.DeadLetterStream)
	if err != nil {
		t.Fatal(err)
	}
	first := message(t, dead, 1)
	first.Header.Del("Nats-Msg-Id")
	if err := publishHeaders(t, server, first.Subject, first.Header); err != nil {
		t.Fatal(err)
	}
	list := letters(t, conn)
	if len(list) != 1 || list[0].ID != 2 {
		t.Fatalf("letters %+v", list)
	}
	requeue(t.Context(), t, conn, list)
	again := collect(t, openConsumer(t, conn), 1, stream.Delivery.Ack)[0]
	if snap := lag(t, conn); again.Err != nil || !bytes.Equal(again.Record.Raw, d.Record.Raw) || snap.DeadLetters != 0 || snap.Lag() != 0 {
		t.Errorf("delivered %v, %+v", again.Err, snap)
	}
}
