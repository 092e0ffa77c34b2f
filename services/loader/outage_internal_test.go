package loader

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
)

func TestARestIsNeverShorterThanTheSinkAsks(t *testing.T) {
	t.Parallel()
	const least, most = time.Second, 30 * time.Second
	for name, test := range map[string]struct {
		back, ended time.Duration // 0 is never
		up          bool
		want        time.Duration
	}{
		"the sink stays down":               {want: most},
		"the sink is back soon":             {back: time.Millisecond, want: least},
		"the sink is back later":            {back: 5 * time.Second, want: 5 * time.Second},
		"the sink is back before the rest":  {up: true, want: most},
		"work ends soon":                    {ended: time.Millisecond, want: time.Millisecond},
		"work ends later":                   {ended: 5 * time.Second, want: 5 * time.Second},
		"work ends before the sink is back": {ended: 5 * time.Second, back: 6 * time.Second, want: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, _ := logrustest.NewNullLogger()
				o := &outage{log: log, gauge: prometheus.NewGauge(prometheus.GaugeOpts{}), held: newHeld(1)}
				o.begin(errors.New("down"))
				if test.up {
					o.end()
				}
				if test.back > 0 {
					defer time.AfterFunc(test.back, o.end).Stop()
				}
				work, end := context.WithCancel(t.Context())
				defer end()
				if test.ended > 0 {
					defer time.AfterFunc(test.ended, end).Stop()
				}
				began := time.Now()
				o.rest(work, least, most)
				if got := time.Since(began); got != test.want {
					t.Errorf("rested %v, want %v", got, test.want)
				}
			})
		})
	}
}
