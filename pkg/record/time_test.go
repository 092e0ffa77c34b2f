package record_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	at := func(rfc3339 string) *orderRow {
		u, err := time.Parse(time.RFC3339Nano, rfc3339)
		if err != nil {
			t.Fatal(err)
		}
		return &orderRow{Created: timestamppb.New(u)}
	}
	unset, surprise := &orderRow{}, []string{"created"}
	run(t, []scenario{
		{"a time is read in +08:00", `"created":"2021-09-16 14:05:07"`, at("2021-09-16T06:05:07Z"), nil},
		{"a time before eight is on the day before", `"created":"2021-01-01 07:59:59"`, at("2020-12-31T23:59:59Z"), nil},
		{"one fraction digit", `"created":"2021-09-18 11:02:19.8"`, at("2021-09-18T03:02:19.8Z"), nil},
		{"three fraction digits", `"created":"2021-09-18 11:02:19.807"`, at("2021-09-18T03:02:19.807Z"), nil},
		{"seven fraction digits", `"created":"2021-09-18 11:02:19.8070001"`, at("2021-09-18T03:02:19.8070001Z"), nil},
		{"a T between day and time", `"created":"2021-09-16T14:05:07.5"`, at("2021-09-16T06:05:07.5Z"), nil},
		{"a day alone is its midnight", `"created":"2021-09-16"`, at("2021-09-15T16:00:00Z"), nil},
		{"blanks around it", `"created":" 2021-09-16 14:05:07 "`, at("2021-09-16T06:05:07Z"), nil},
		{"an hour that summer time skips in New York", `"created":"2021-03-14 02:30:00"`, at("2021-03-13T18:30:00Z"), nil},
		{"an hour that China's summer time of 1986 to 1991 repeated", `"created":"1988-07-01 12:00:00"`, at("1988-07-01T04:00:00Z"), nil},
		{"the leap day", `"created":"2024-02-29 00:00:00"`, at("2024-02-28T16:00:00Z"), nil},
		{"null is unset", `"created":null`, unset, nil},
		{"the empty text is unset", `"created":""`, unset, nil},
		{"a zero time is unset", `"created":"0001-01-01 00:00:00"`, unset, nil},
		{"a zero time with a fraction is unset", `"created":"0001-01-01 00:00:00.000"`, unset, nil},
		{"a zero day is unset", `"created":"0001-01-01"`, unset, nil},
		{"a zero in UTC, eight hours later, is unset", `"created":"0001-01-01 08:00:00"`, unset, nil},
		{"a zero time with a T is unset", `"created":"0001-01-01T00:00:00"`, unset, nil},
		{"a zero of zeros is unset", `"created":"0000-00-00 00:00:00"`, unset, nil},
		{"a day that does not exist is refused", `"created":"2021-02-29 00:00:00"`, unset, surprise},
		{"an hour that does not exist is refused", `"created":"2021-02-28 24:00:00"`, unset, surprise},
		{"a second that does not exist is refused", `"created":"2021-02-28 23:59:60"`, unset, surprise},
		{"the year 0, which protobuf does not know, is refused", `"created":"0000-01-01 00:00:00"`, unset, surprise},
		{"eight fraction digits are refused", `"created":"2021-09-18 11:02:19.80700012"`, unset, surprise},
		{"a dot without digits is refused", `"created":"2021-09-18 11:02:19."`, unset, surprise},
		{"a comma for the dot is refused", `"created":"2021-09-18 11:02:19,8"`, unset, surprise},
		{"an offset is refused", `"created":"2021-09-16T14:05:07Z"`, unset, surprise},
		{"a time without seconds is refused", `"created":"2021-09-16 14:05"`, unset, surprise},
		{"words are refused", `"created":"yesterday"`, unset, surprise},
		{"a number is refused", `"created":1631772307`, unset, surprise},
	})
}

func TestEveryTimeSurvivesItsText(t *testing.T) {
	t.Parallel()
	beijing := time.FixedZone("", 8*60*60)
	rapid.Check(t, func(t *rapid.T) {
		const ticks = 10_000_000 // of 100 ns
		first := time.Date(1, 1, 2, 0, 0, 0, 0, beijing).Unix()
		last := time.Date(9999, 12, 31, 23, 59, 59, 0, beijing).Unix()
		want := time.Unix(rapid.Int64Range(first, last).Draw(t, "second"), rapid.Int64Range(0, ticks-1).Draw(t, "tick")*100)
		layout := rapid.SampledFrom([]string{"2006-01-02 15:04:05.9999999", "2006-01-02T15:04:05.0000000"}).Draw(t, "layout")
		text := want.In(beijing).Format(layout)
		_, o := decode(t, members(`"created":"`+text+`"`))
		if got := o.GetCreated(); got.CheckValid() != nil || !got.AsTime().Equal(want) {
			t.Errorf("%s is read as %v, want %v", text, got.AsTime(), want)
		}
	})
}
