package stream_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"

	"juliu/pkg/record"
	"juliu/pkg/stream"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return epoch().Add(time.Duration(seconds) * time.Second) }
	row := func(ts int64, modified time.Time, hash byte) record.Record {
		return record.Record{Key: "7", Version: record.Version{TS: ts, Modified: modified}, Hash: record.Hash{hash}}
	}
	for name, tc := range map[string]struct {
		stored []record.Record
		row    record.Record
		want   stream.Judgement
	}{
		"a key never seen is fresh":                    {nil, row(5, at(5), 1), stream.Fresh},
		"another key is fresh":                         {[]record.Record{{Key: "8", Version: record.Version{TS: 5}}}, row(5, at(5), 1), stream.Fresh},
		"the same row is equal":                        {[]record.Record{row(5, at(5), 1)}, row(5, at(5), 1), stream.Equal},
		"a greater ts is fresh":                        {[]record.Record{row(5, at(5), 1)}, row(6, at(5), 1), stream.Fresh},
		"a smaller ts is older":                        {[]record.Record{row(5, at(5), 1)}, row(4, at(9), 1), stream.Older},
		"an amended row is fresh":                      {[]record.Record{row(5, at(5), 1)}, row(5, at(5), 2), stream.Fresh},
		"without ts the later modification is fresh":   {[]record.Record{row(0, at(5), 1)}, row(0, at(6), 1), stream.Fresh},
		"without ts the earlier modification is older": {[]record.Record{row(0, at(5), 1)}, row(0, at(4), 1), stream.Older},
		"a row without modification time keeps its ts": {[]record.Record{row(5, time.Time{}, 1)}, row(5, time.Time{}, 1), stream.Equal},
		"the newest stored one decides":                {[]record.Record{row(6, at(6), 2), row(5, at(5), 1)}, row(5, at(5), 1), stream.Older},
		"the last of equal versions decides":           {[]record.Record{row(5, at(5), 1), row(5, at(5), 2)}, row(5, at(5), 2), stream.Equal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := stream.NewKnown()
			k.Add(tc.stored)
			if got := k.Judge(tc.row); got != tc.want {
				t.Errorf("judged %s, want %s", got, tc.want)
			}
		})
	}
}

// TestKnownIsAMapOfTheNewest compares with a plain map of whole records.
func TestKnownIsAMapOfTheNewest(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 20)
	rapid.Check(t, func(t *rapid.T) {
		k, model := stream.NewKnown(), map[string]record.Record{}
		draw := func() record.Record {
			return record.Record{
				Key: rapid.SampledFrom([]string{"", "1", "10", "1\x00", long, long + "1", "123456789012345", "1234567890123456"}).Draw(t, "key"),
				Version: record.Version{
					TS: rapid.Int64Range(1, 5).Draw(t, "ts"), Modified: epoch().Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "modified"))),
				},
				Hash: record.Hash{byte(rapid.IntRange(0, 2).Draw(t, "hash"))},
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(*rapid.T) {
				r := draw()
				k.Add([]record.Record{r})
				if old, ok := model[r.Key]; !ok || r.Version.Compare(old.Version) >= 0 {
					model[r.Key] = r
				}
			},
			"forget": func(t *rapid.T) {
				before := epoch().Add(time.Duration(rapid.IntRange(0, 6).Draw(t, "before")))
				k.Forget(before, 0)
				for key, r := range model {
					if r.Version.Modified.Before(before) {
						delete(model, key)
					}
				}
			},
			"": func(t *rapid.T) {
				r := draw()
				want := stream.Fresh
				if old, ok := model[r.Key]; ok {
					switch order := r.Version.Compare(old.Version); {
					case order < 0:
						want = stream.Older
					case order == 0 && r.Hash == old.Hash:
						want = stream.Equal
					}
				}
				if got := k.Judge(r); got != want || k.Len() != len(model) {
					t.Fatalf("judged %s, want %s; %d keys, want %d", got, want, k.Len(), len(model))
				}
				version, mark, ok := k.Find(r.Key)
				if old, want := model[r.Key]; ok != want || ok && (version != old.Version || mark != uint64(old.Hash[0])<<56) {
					t.Fatalf("found %v %x %v, want %v %v", version, mark, ok, old, want)
				}
				begin, end, within := epoch().Add(1), epoch().Add(4), 0
				for _, old := range model {
					if at := old.Version.Modified; !at.Before(begin) && at.Before(end) {
						within++
					}
				}
				if n := k.Count(begin, end); n != within {
					t.Fatalf("%d keys within, want %d", n, within)
				}
			},
		})
	})
}

func TestLoadKnownLearnsWhatIsStored(t *testing.T) {
	t.Parallel()
	const count = 50_000
	server, conn := setup(t)
	if k, err := stream.LoadKnown(t.Context(), conn, resource, source, epoch(), 0); err != nil || k.Len() != 0 {
		t.Fatalf("an empty stream: %d keys, %v", k.Len(), err)
	}
	fill(t, conn, count, 100)
	other, err := stream.OpenJournal(t.Context(), conn, resource, "other")
	if err != nil {
		t.Fatal(err)
	}
	foreign := orders(count, 10, 100)
	for i := range foreign {
		foreign[i].Source = "other"
	}
	commit(t.Context(), t, other, foreign)
	// Somebody else's message must not stop the extractor.
	stranger := &nats.Msg{Subject: "jst.record." + resource + "." + source + ".1.1", Data: []byte("?")}
	if _, err := raw(t, server).PublishMsg(t.Context(), stranger); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		since time.Time
		want  int
	}{
		"everything since the first order":              {epoch(), count},
		"the newest tenth":                              {epoch().Add(45_000 * time.Second), 5000},
		"nothing when all was stored before":            {time.Now().Add(time.Hour), 0},
		"what was stored since, whenever it is amended": {epoch().Add(-time.Hour), count},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := stream.LoadKnown(t.Context(), conn, resource, source, tc.since, 0)
			if err != nil || k.Len() != tc.want {
				t.Fatalf("%d keys, %v, want %d", k.Len(), err, tc.want)
			}
			if tc.want == 0 {
				return
			}
			if got := k.Judge(order(count-1, 100)); got != stream.Equal {
				t.Errorf("the last order is judged %s", got)
			}
			older := order(count-1, 100)
			older.Version.TS--
			if got := k.Judge(older); got != stream.Older {
				t.Errorf("an older version of the last order is judged %s", got)
			}
		})
	}
}

func TestLoadKnownLeavesOutAHashThatIsNone(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	js := raw(t, server)
	good := order(1, 0).Hash.String()
	for key, hash := range map[string]string{"none": "", "cut": good[:62], "odd": good[:63], "long": good + "00", "text": "x" + good[1:], "good": good} {
		message := &nats.Msg{
			Subject: "jst.record." + resource + "." + source + ".1.1", Data: []byte("?"),
			Header: nats.Header{stream.HeaderKey: {key}, stream.HeaderVersion: {"7"}, stream.HeaderModified: {"2026-11-02T00:00:00Z"}, stream.HeaderHash: {hash}},
		}
		if _, err := js.PublishMsg(t.Context(), message); err != nil {
			t.Fatal(err)
		}
	}
	if k, err := stream.LoadKnown(t.Context(), conn, resource, source, epoch(), 0); err != nil || k.Len() != 1 {
		t.Errorf("%d keys, %v, want the good one", k.Len(), err)
	}
}

func TestMomentsAreOfWholeSeconds(t *testing.T) {
	t.Parallel()
	k := stream.NewKnown()
	for i, at := range []time.Duration{0, time.Second, 1500 * time.Millisecond, 2 * time.Second, 3 * time.Second} {
		k.Add([]record.Record{{Key: string(rune('a' + i)), Version: record.Version{TS: 1, Modified: epoch().Add(at)}}})
	}
	k.Add([]record.Record{{Key: "never", Version: record.Version{TS: 1}}})
	got := k.Moments(epoch().Add(time.Second), epoch().Add(3*time.Second), 9)
	slices.SortFunc(got, time.Time.Compare)
	if want := []time.Time{epoch().Add(time.Second), epoch().Add(2 * time.Second)}; !slices.EqualFunc(want, got, time.Time.Equal) {
		t.Errorf("moments %v, want %v", got, want)
	}
	if n := len(k.Moments(epoch(), epoch().Add(time.Hour), 2)); n != 2 {
		t.Errorf("%d moments, want 2 at most", n)
	}
}
