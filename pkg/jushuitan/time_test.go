package jushuitan_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"juliu/pkg/jushuitan"
)

func TestTimeIsWrittenInBeijingWhateverItsZone(t *testing.T) {
	t.Parallel()
	instant := time.Date(2021, 9, 23, 7, 7, 58, 999_000_000, time.UTC)
	for _, zone := range []*time.Location{time.UTC, time.Local, time.FixedZone("west", -9*3600), time.FixedZone("east", 13*3600)} {
		got, err := json.Marshal(jushuitan.At(instant.In(zone)))
		if err != nil || string(got) != `"2021-09-23 15:07:58"` {
			t.Errorf("in %s: got %s, %v", zone, got, err)
		}
	}
	// Beijing had a summer time in 1990, and a local mean time before 1901; the API has neither.
	for text, want := range map[string]time.Time{
		"1990-07-01 08:00:00": time.Date(1990, 7, 1, 0, 0, 0, 0, time.UTC),
		"1900-01-01 08:00:00": time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got := jushuitan.At(want).String(); got != text {
			t.Errorf("%s: got %s, want %s", want, got, text)
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	base := time.Date(2021, 9, 18, 3, 2, 19, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2021-09-18 11:02:19":         base,
		"2021-09-18 11:02:19.807":     base.Add(807 * time.Millisecond),
		"2021-09-18 11:02:19.8070001": base.Add(807*time.Millisecond + 100*time.Nanosecond),
	} {
		if got, err := jushuitan.ParseTime(text); err != nil || got.Time != want {
			t.Errorf("%s: got %v, %v, want %v", text, got.Time, err, want)
		}
	}
	for _, text := range []string{"", "2021-09-18", "2021-09-18T11:02:19Z", "2021-13-01 00:00:00", "2021-09-18 11:02:19 +08:00"} {
		if got, err := jushuitan.ParseTime(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestTimeComesBackFromJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := jushuitan.At(time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "unix"), 0).UTC())
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got jushuitan.Time
		if err := json.Unmarshal(data, &got); err != nil || !got.Equal(want.Time) {
			t.Fatalf("%s: got %v, %v", data, got, err)
		}
	})
}

func TestTimeZeroIsNull(t *testing.T) {
	t.Parallel()
	if data, err := json.Marshal(jushuitan.Time{}); err != nil || string(data) != "null" {
		t.Errorf("got %s, %v", data, err)
	}
	for _, text := range []string{`null`, `""`} {
		got := jushuitan.At(time.Unix(1, 0))
		if err := json.Unmarshal([]byte(text), &got); err != nil || !got.IsZero() {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	var got jushuitan.Time
	if err := json.Unmarshal([]byte(`5`), &got); err == nil {
		t.Error("a number is taken for a time")
	}
}
