package rig_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/chaos"
	"juliu/scripts/chaos/rig"
)

func TestEveryFaultOfALinkThatIsDrawnExists(t *testing.T) {
	t.Parallel()
	link, err := rig.NewLink(t.Context(), "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(link.Close)
	for _, s := range rig.Schedule(1, 300, time.Hour) {
		if strings.HasPrefix(s.Victim, "link of ") {
			if err := link.Set(s.Kind); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRecoveryIsMeasuredFromTheFaultToWhatEndsIt(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Date(2026, 11, 24, 8, 0, s, 0, time.UTC) }
	h := chaos.History{
		Run: chaos.Run{HealedAt: at(40), QuietAt: at(52)},
		Checkpoints: []chaos.Checkpoint{
			{Run: "first", SentAt: at(9)},
			{Run: "first", SentAt: at(11)}, // on its way when the process was killed
			{Run: "second", SentAt: at(17)},
			{Run: "second", SentAt: at(33)},
		},
		Floors: []chaos.Floor{{At: at(19), Acked: 70}, {At: at(25), Acked: 69}, {At: at(50), Acked: 70}},
	}
	got := rig.Recovery(h,
		rig.Happening("kill extractor", "leader", at(10), at(12), "first", 0),
		rig.Happening("kill loader", "loader-2", at(20), at(30), "second", 70),
	)
	want := map[string]rig.Spread{
		"takeover after kill extractor": {N: 1, P50: 7, P99: 7, Most: 7},
		"settled after kill loader":     {N: 1, P50: 30, P99: 30, Most: 30},
		"next commit":                   {N: 2, P50: 5, P99: 5, Most: 5},
		"quiet":                         {N: 1, P50: 12, P99: 12, Most: 12},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recovery (-want +got):\n%s", diff)
	}
}

func TestThePageSaysWhatWasDoneAndWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	page := rig.Page{
		Seed: 7, Versions: map[string]string{"nats-server": "2.15.2"}, Faults: map[string]int{"kill nats": 2, "cut": 1},
		Ends: map[string]int{"extractor-1 exit 3": 1}, Rare: map[string]int{"fenced": 1}, Report: chaos.Check(chaos.History{}),
	}
	var text strings.Builder
	if err := page.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"seed 7", "nats-server: 2.15.2", "3 faults of 2 kinds", "extractor-1 exit 3", "fenced", "NOT HELD", "unproven"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, text.String())
		}
	}
}
