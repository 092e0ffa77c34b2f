package loader

import (
	"errors"
	"io"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"juliu/pkg/stream"
)

func TestOnlyASinkThatTakesOthersIsNotDown(t *testing.T) {
	t.Parallel()
	log := logrus.New()
	log.SetOutput(io.Discard)
	o := &outage{log: log, gauge: prometheus.NewGauge(prometheus.GaugeOpts{Name: "down", Help: "Down."}), held: newHeld(4)}
	one, other := stream.Delivery{Sequence: 1}, stream.Delivery{Sequence: 2}
	refuse := func(what string, d stream.Delivery, want bool) {
		t.Helper()
		if got := o.refuse(d); got != want {
			t.Errorf("%s: the record's fault %t, want %t", what, got, want)
		}
		o.begin(errors.New("down"))
	}
	onItsWay := o.enter()
	refuse("the first time", one, false)
	o.end(onItsWay)
	refuse("after a write that was on its way when the sink went down", one, false)
	refuse("after none", one, false)
	o.end(o.enter())
	refuse("of another record, for the first time", other, false)
	refuse("after a write begun meanwhile", one, true)
	o.forget(one)
	o.end(o.enter())
	refuse("after it was settled and came again", one, false)
}
