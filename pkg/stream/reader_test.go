package stream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"juliu/pkg/stream"
)

func TestReadChooses(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	j := openJournal(t, conn)
	for n := range 10 {
		commit(t.Context(), t, j, orders(n*30, 30, 100))
	}
	read := func(o stream.ReadOptions) (keys []string, err error) { //nolint:nonamedreturns // the closure below fills it
		err = stream.Read(t.Context(), conn, o, func(d stream.Delivery) error {
			keys = append(keys, d.Record.Key)
			return d.Err
		})
		return keys, err
	}
	key := func(n int) string { return order(n, 0).Key }
	for name, tc := range map[string]struct {
		o           stream.ReadOptions
		count       int
		first, last int
	}{
		"everything":                      {stream.ReadOptions{}, 300, 0, 299},
		"a resource and a source":         {stream.ReadOptions{Resource: resource, Source: source}, 300, 0, 299},
		"one shop":                        {stream.ReadOptions{Shop: "11"}, 100, 1, 298},
		"a source that is not there":      {stream.ReadOptions{Source: "x.y"}, 0, 0, 0},
		"the first five":                  {stream.ReadOptions{Limit: 5}, 5, 0, 4},
		"the last one":                    {stream.ReadOptions{Last: 1}, 1, 299, 299},
		"the last seven":                  {stream.ReadOptions{Last: 7}, 7, 293, 299},
		"more than there is":              {stream.ReadOptions{Last: 1000}, 300, 0, 299},
		"the last four of a shop":         {stream.ReadOptions{Shop: "10", Last: 4}, 4, 288, 297},
		"the first two of the last seven": {stream.ReadOptions{Last: 7, Limit: 2}, 2, 293, 294},
		"from a sequence":                 {stream.ReadOptions{FromSequence: 32}, 270, 30, 299},
		"from beyond the end":             {stream.ReadOptions{FromSequence: 5000}, 0, 0, 0},
		"since an hour ago":               {stream.ReadOptions{Since: time.Now().Add(-time.Hour)}, 300, 0, 299},
		"since a time that has not come":  {stream.ReadOptions{Since: time.Now().Add(time.Hour)}, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys, err := read(tc.o)
			if err != nil || len(keys) != tc.count {
				t.Fatalf("%d records, %v, want %d", len(keys), err, tc.count)
			}
			if tc.count > 0 && (keys[0] != key(tc.first) || keys[len(keys)-1] != key(tc.last)) {
				t.Errorf("records %s to %s, want %s to %s", keys[0], keys[len(keys)-1], key(tc.first), key(tc.last))
			}
		})
	}
	if _, err := read(stream.ReadOptions{Last: 1, FromSequence: 1}); !errors.Is(err, stream.ErrReadOptions) {
		t.Errorf("contradicting options: %v", err)
	}
}

func TestReadStopsAtAnErrorOfItsCaller(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	commit(t.Context(), t, openJournal(t, conn), orders(0, 30, 100))
	enough, count := errors.New("enough"), 0
	err := stream.Read(t.Context(), conn, stream.ReadOptions{}, func(stream.Delivery) error {
		count++
		return enough
	})
	if !errors.Is(err, enough) || count != 1 {
		t.Errorf("%d records, %v", count, err)
	}
}

func TestReadFollows(t *testing.T) {
	t.Parallel()
	_, conn := setup(t)
	j := openJournal(t, conn)
	commit(t.Context(), t, j, orders(0, 3, 100))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	keys := make(chan string)
	result := make(chan error, 1)
	go func() {
		result <- stream.Read(ctx, conn, stream.ReadOptions{Last: 1, Follow: true}, func(d stream.Delivery) error {
			keys <- d.Record.Key
			return nil
		})
	}()
	for n := 2; n < 5; n++ {
		if got := <-keys; got != order(n, 0).Key {
			t.Fatalf("record %s, want %s", got, order(n, 0).Key)
		}
		commit(t.Context(), t, j, orders(n+1, 1, 100))
	}
	<-keys
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func TestReadResumesAfterTheConnectionBroke(t *testing.T) {
	t.Parallel()
	const count = 5000
	server, direct := setup(t)
	fill(t, direct, count, 100)
	p := startProxy(t, server.URL())
	conn := connect(t, p.url)
	next := 0
	err := stream.Read(t.Context(), conn, stream.ReadOptions{}, func(d stream.Delivery) error {
		if d.Record.Key != order(next, 0).Key {
			return fmt.Errorf("record %s, want %s", d.Record.Key, order(next, 0).Key)
		}
		if next%2000 == 1000 {
			p.cut()
		}
		next++
		return nil
	})
	if err != nil || next != count {
		t.Errorf("%d records, %v", next, err)
	}
}
