package record_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"juliu/pkg/record"
)

func TestVersionText(t *testing.T) {
	t.Parallel()
	for row, want := range map[string]string{
		`{"io_id":1,"ts":9007199254740993}`:                               "9007199254740993",
		`{"io_id":1,"ts":5,"modified":"2021-09-23 15:07:58"}`:             "5",
		`{"io_id":1,"modified":"2021-09-23 15:07:58"}`:                    "2021-09-23T07:07:58Z.",
		`{"io_id":1,"modified":"2021-09-23 15:07:58.5","remark":"other"}`: "2021-09-23T07:07:58.5Z.",
	} {
		r, _ := decode(t, []byte(row))
		if r.Version.TS == 0 {
			want += r.Hash.String()[:16]
		}
		if got := r.VersionText(); got != want {
			t.Errorf("version of %s is %q, want %q", row, got, want)
		}
	}
}

func TestVersionSurvivesItsText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := record.Version{TS: rapid.Int64Range(0, 1<<62).Draw(t, "ts")}
		if want.TS == 0 || rapid.Bool().Draw(t, "without ts") {
			want = record.Version{Modified: time.Unix(rapid.Int64Range(-62_135_596_799, 253_402_300_799).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano")).UTC()}
		}
		text := record.Record{Version: want, Hash: record.Hash{0xab}}.VersionText()
		if got, err := record.ParseVersion(text); err != nil || got.Compare(want) != 0 || got != want {
			t.Errorf("%q is read as %+v, %v; want %+v", text, got, err, want)
		}
	})
}

func TestTextsThatAreNoVersion(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "0", "-1", "x", "1.5", "9223372036854775808", "2021-09-23T07:07:58Z", "2021-09-23T07:07:58Z.", "2021-09-23T07:07:58Z.0011", "2021-09-23T07:07:58Z.00112233445566zz",
		"2021-09-23.0011223344556677", "0001-01-01T00:00:00Z.0011223344556677",
	} {
		if v, err := record.ParseVersion(s); err == nil {
			t.Errorf("%q is read as %+v", s, v)
		}
	}
}

func TestVersionsAreOrdered(t *testing.T) {
	t.Parallel()
	early, late := time.Unix(1, 0).UTC(), time.Unix(2, 0).UTC()
	for _, c := range []struct {
		name string
		v, w record.Version
		want int
	}{
		{"by ts when both have one", record.Version{TS: 1, Modified: late}, record.Version{TS: 2, Modified: early}, -1},
		{"equal ts are equal", record.Version{TS: 1, Modified: late}, record.Version{TS: 1}, 0},
		{"by time without ts", record.Version{Modified: early}, record.Version{Modified: late}, -1},
		{"by time when one lacks ts", record.Version{TS: 9, Modified: early}, record.Version{Modified: late}, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got, back := c.v.Compare(c.w), c.w.Compare(c.v); got != c.want || back != -c.want {
				t.Errorf("compared %d and %d, want %d and %d", got, back, c.want, -c.want)
			}
		})
	}
}

// The partition of a key is part of the wire contract: these never change.
func TestPartitionsNeverChange(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int{"": 5, "1": 12, "166": 8, "20117733": 5, "9007199254740993": 1} {
		if got := record.Partition(key); got != want {
			t.Errorf("partition of %q is %d, want %d", key, got, want)
		}
	}
}
