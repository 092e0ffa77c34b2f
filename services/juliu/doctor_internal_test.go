package juliu

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
	"juliu/services/extractor"
)

// healthy is a system that lacks nothing: three servers, an extractor at work, loaders that keep up.
func healthy() facts {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	little := 20 * time.Millisecond
	days := 720 * time.Hour
	replicas := 3
	consumer := stream.Provisioned()
	consumer.Waiting, consumer.Acked, consumer.Delivered = 2, now.Add(-time.Hour), now.Add(-time.Hour)
	condition := func(name string) stream.Condition {
		return stream.Condition{Name: name, Replicas: 3, MaxAge: days, MaxBytes: 20 << 30, Bytes: 1 << 30, At: now}
	}
	return facts{
		now: now,
		nats: natsFacts{
			server:  stream.ServerState{Address: "nats://nats.example:4222", Name: "n1", Version: "2.15.2", Cluster: "juliu", MaxPayload: 8 << 20},
			account: &stream.AccountState{APILevel: 4, Store: 1 << 30, MaxStore: 40 << 30},
			streams: []stream.Condition{condition(stream.Stream), condition(stream.DeadLetterStream)}, consumer: &consumer,
			snapshot: &stream.Snapshot{Records: 10},
			sources: []stream.SourceState{{Source: "main", Resource: "sales-out", Checkpoint: &juliuv1.Checkpoint{
				Cursor: timestamppb.New(now.Add(-33 * time.Second)), CommittedAt: timestamppb.New(now.Add(-3 * time.Second)), ReadAt: timestamppb.New(now.Add(-3 * time.Second)),
				SweptAt: timestamppb.New(now.Add(-time.Hour)), Filter: "status=all",
			}}},
			holders: map[string]control.Holder{
				"main": {Name: "erp-1/4711", Since: now.Add(-time.Hour), Quota: &control.Quota{Used: 37, Allowed: 100, Configured: 100, Refused: 2}},
			},
			ahead: &little, shops: map[string][]string{"main": {"0", "10394533"}}, seenJobs: true,
			jobs: []control.Job{{
				ID: "20261124-040000-abc", Kind: "audit", Source: "main", State: control.Done, Ended: now.Add(-4 * time.Hour), Report: reportOf(now, complete),
			}},
		},
		asked: askedLimits{replicas: &replicas, maxAge: &days},
		reading: extractor.Config{
			Source: "main", Interval: 15 * time.Second, Settle: 30 * time.Second, SweepEvery: time.Hour, SweepSpan: 24 * time.Hour,
			AuditEvery: 24 * time.Hour, Start: now.Add(-time.Hour),
			ERP: jushuitan.Config{RefreshToken: secret.New("r"), RatePerSecond: 5, RatePerMinute: 100},
		},
		ours:  true,
		erp:   erpFacts{skipped: "erp-held", holder: "erp-1/4711", ahead: &little, address: "https://erp.example"},
		token: tokenFacts{expires: now.Add(20 * 24 * time.Hour), term: 30 * 24 * time.Hour},
		sink:  sinkFacts{name: "noop", migrated: true},
		disk:  diskFacts{folder: "data", free: 100 << 30, total: 200 << 30},
	}
}

// wrong are the findings that warn or fail, as "level code".
func wrong(found []finding) []string {
	var all []string
	for _, f := range found {
		if f.level == levelWarn || f.level == levelFail {
			all = append(all, string(f.level)+" "+f.code)
		}
	}
	return all
}

func TestAHealthySystemHasNoFinding(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(f *facts){
		"three servers":           func(*facts) {},
		"nothing was read yet":    func(f *facts) { f.nats.sources, f.nats.holders = nil, map[string]control.Holder{} },
		"no loader and no orders": func(f *facts) { f.nats.consumer.Waiting = 0 },
		"one server alone": func(f *facts) {
			f.nats.server.Cluster, f.asked.replicas = "", nil
			f.nats.streams[0].Replicas, f.nats.streams[1].Replicas = 1, 1
		},
		"catching up": func(f *facts) {
			f.nats.sources[0].Checkpoint.Cursor = timestamppb.New(f.now.Add(-700 * time.Hour))
		},
		"an order after an idle day": func(f *facts) {
			f.nats.consumer.AckPending, f.nats.consumer.Acked, f.nats.consumer.Delivered = 1, f.now.Add(-24*time.Hour), f.now
		},
		"a replay beside the live flow": func(f *facts) {
			f.nats.jobs = append(f.nats.jobs, control.Job{ID: "20261124-075000-abc", Kind: "replay", State: control.Running, Updated: f.now})
		},
		"an audit that failed and was done again": func(f *facts) {
			f.nats.jobs = append(f.nats.jobs, control.Job{ID: "20261124-030000-abc", Kind: "audit", Source: "main", State: control.Failed, Ended: f.now.Add(-5 * time.Hour)})
		},
		"gaps that a later audit found closed": func(f *facts) {
			f.nats.jobs = append(f.nats.jobs, control.Job{ID: "20261123-040000-abc", Kind: "audit", Source: "main", State: control.Done, Report: reportOf(f.now, gap)})
		},
		"a fast sink with much in hand": func(f *facts) {
			f.nats.before, f.nats.snapshot = twoSnapshots(f.now, 100)
		},
		"a backlog of minutes": func(f *facts) {
			f.nats.before, f.nats.snapshot = twoSnapshots(f.now, 1000)
			f.nats.consumer.Pending, f.nats.oldest, f.nats.snapshot.MaxAge = 9, f.now.Add(-10*time.Minute), time.Hour
		},
		"a day that takes long to read": func(f *facts) {
			f.nats.sources[0].Checkpoint.ReadAt = timestamppb.New(f.now.Add(-time.Hour))
			f.nats.sources[0].Checkpoint.Cursor = timestamppb.New(f.now.Add(-20 * time.Hour))
		},
		"an extractor that just started": func(f *facts) {
			f.nats.sources, f.nats.holders = nil, map[string]control.Holder{"main": {Name: "erp-1/4711", Since: f.now.Add(-time.Minute)}}
		},
		"a long interval that is not known here": func(f *facts) {
			f.ours, f.reading.Interval = false, time.Hour
		},
		"a loader between two pulls": func(f *facts) {
			f.nats.consumer.Waiting, f.nats.consumer.Pending = 0, 5
			f.nats.snapshot.Waiting = 1
		},
		"a juliu up that was started twice": func(f *facts) {
			f.up, f.nats.holders = true, map[string]control.Holder{}
			f.reading.Source, f.ours = "main", false
			old := stream.SourceState{Source: "sandbox-1", Checkpoint: &juliuv1.Checkpoint{CommittedAt: timestamppb.New(f.now.Add(-time.Hour))}}
			f.nats.sources = append(f.nats.sources, old)
		},
	} {
		f := healthy()
		change(&f)
		if all := wrong(diagnose(f)); len(all) > 0 {
			t.Errorf("%s: %v", name, all)
		}
	}
}

// What was not seen is never called fine.
func TestWhatWasNotSeenIsNotFine(t *testing.T) {
	t.Parallel()
	f := healthy()
	f.nats = natsFacts{server: f.nats.server}
	f.nats.note(&stream.PermissionError{Operation: "publish", Subject: "$JS.API.STREAM.INFO.JUSHUITAN"})
	for _, one := range diagnose(f) {
		if one.level == levelOK && slices.Contains([]string{"nats", "streams", "loaders", "sources", "no-sources", "audit", "jobs", "quota"}, one.code) {
			t.Errorf("%s is said to be fine", one.code)
		}
	}
}

func TestEachFaultHasItsOneCause(t *testing.T) {
	t.Parallel()
	book := readTexts(doctorTexts)
	for name, c := range faults() {
		f := healthy()
		c.spoil(&f)
		found := diagnose(f)
		if all := wrong(found); !slices.Equal(all, []string{c.want}) {
			t.Errorf("%s: %v, want %s", name, all, c.want)
			continue
		}
		i := slices.IndexFunc(found, func(one finding) bool { return c.want == string(one.level)+" "+one.code })
		w := book.say(found[i], "en")
		if text := w.What + w.Why + w.Cure; !strings.Contains(text, c.say) {
			t.Errorf("%s: no %q in %q", name, c.say, text)
		}
		for _, language := range []string{"en", "zh"} {
			if w := book.say(found[i], language); w.What == "" || w.Why == "" || w.Cure == "" || strings.ContainsAny(w.What+w.Why+w.Cure, "{}") {
				t.Errorf("%s: the words in %s are not complete: %+v", name, language, w)
			}
		}
	}
}

func TestEveryFindingHasItsWordsInBothLanguages(t *testing.T) {
	t.Parallel()
	book := readTexts(doctorTexts)
	used := map[string]bool{}
	for _, file := range []string{"diagnose.go", "diagnoseload.go", "diagnosejobs.go", "diagnosesource.go", "diagnoseerp.go", "doctorlook.go", "doctorerp.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, quoted := range regexp.MustCompile(`"([a-z]+(?:-[a-z]+)*)"`).FindAllStringSubmatch(string(source), -1) {
			used[quoted[1]] = true
		}
	}
	names := regexp.MustCompile(`\{[a-z]+\}`)
	for code, languages := range book {
		en, zh := languages["en"], languages["zh"]
		if en.What == "" || zh.What == "" || (en.Why == "") != (zh.Why == "") || (en.Cure == "") != (zh.Cure == "") || (en.Why == "") != (en.Cure == "") || (en.Up == "") != (zh.Up == "") {
			t.Errorf("%s: its words are not complete", code)
		}
		for _, name := range names.FindAllString(zh.What+zh.Why+zh.Cure, -1) {
			if !strings.Contains(en.What+en.Why+en.Cure, name) && name != "{ip}" { // in English it is in {remedy}
				t.Errorf("%s: only the Chinese words have %s", code, name)
			}
		}
		base := strings.TrimSuffix(strings.TrimSuffix(code, "-ahead"), "-behind")
		if !used[base] && !strings.HasPrefix(code, "sink-") {
			t.Errorf("%s: nothing finds it", code)
		}
	}
	if keys := slices.Sorted(maps.Keys(book)); len(keys) < 60 {
		t.Errorf("only %d findings have words", len(keys))
	}
}

// verdict is one with each level, in a language.
func verdict(language string) verdictLine {
	f := healthy()
	f.nats.snapshot.DeadLetters = 2
	f.nats.note(&stream.TopologyError{Differences: []string{"consumer loader is missing"}})
	return verdictOf(f.now, diagnose(f), readTexts(doctorTexts), language)
}

func TestTheVerdictIsStable(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"en", "zh"} {
		text := verdict(language).table(false, language)
		isGolden(t, "doctor."+language+".golden.txt", text)
		painted := verdict(language).table(true, language)
		if painted == text || regexp.MustCompile(`\x1b\[\d*m`).ReplaceAllString(painted, "") != text {
			t.Errorf("the colours change the words, or there are none:\n%s", painted)
		}
		var out bytes.Buffer
		if err := json.NewEncoder(&out).Encode(verdict(language)); err != nil {
			t.Fatal(err)
		}
		isGolden(t, "doctor."+language+".golden.json", out.String())
	}
}

// Every finding's words, so that a change of one is seen in both languages.
func TestTheWordsAreStable(t *testing.T) {
	t.Parallel()
	book := readTexts(doctorTexts)
	for _, language := range []string{"en", "zh"} {
		var v verdictLine
		names := slices.Sorted(maps.Keys(faults()))
		for _, name := range names {
			f := healthy()
			faults()[name].spoil(&f)
			for _, one := range diagnose(f) {
				if one.level == levelWarn || one.level == levelFail {
					v.Findings = append(v.Findings, verdictOf(f.now, []finding{one}, book, language).Findings...)
				}
			}
		}
		isGolden(t, "faults."+language+".golden.txt", v.table(false, language))
	}
}
