package sandbox_test

import (
	"net/http/httptest"
	"strconv"
	"testing"

	"juliu/pkg/jushuitan/sandbox"
)

func big(b *testing.B) caller {
	b.Helper()
	clock := newClock()
	s, err := sandbox.New(sandbox.Config{Seed: 1, Now: clock.Now, Orders: 200_000})
	if err != nil {
		b.Fatal(err)
	}
	return caller{Sandbox: s, clock: clock}
}

func benchmarkPage(b *testing.B, c caller, biz string) {
	b.Helper()
	r := c.request(biz)
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r.build(b))
	}
}

func BenchmarkPageOfAWindow(b *testing.B) {
	c := big(b)
	benchmarkPage(b, c, c.day(`"page_size":50,"page_index":2000,`))
}

func BenchmarkPageOfAFilteredWindow(b *testing.B) {
	c := big(b)
	benchmarkPage(b, c, c.day(`"status":"Confirmed","page_size":50,"page_index":2000,`))
}

func BenchmarkEmptyPageOfAFilteredWindow(b *testing.B) {
	c := big(b)
	benchmarkPage(b, c, c.day(`"status":"Confirmed","page_size":50,"page_index":`+strconv.Itoa(1<<20)+`,`))
}

func BenchmarkChange(b *testing.B) {
	c := big(b)
	for b.Loop() {
		c.Step(1)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		big(b)
	}
}

func BenchmarkFinal(b *testing.B) {
	c := newClock()
	s, err := sandbox.New(sandbox.Config{Seed: 1, Now: c.Now, Orders: 20_000})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.Ledger().Final()
	}
}
