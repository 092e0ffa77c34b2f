package juliu

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"juliu/pkg/stream"
)

// stale is after how long without a commit a source is not read any more: three looks of the extractor, and what it leaves to settle.
func (f *facts) stale() time.Duration { return 3*f.reading.Interval + f.reading.Settle }

func aboutSources(f facts) []finding {
	if f.nats.err != nil || f.nats.noJetStream {
		return nil
	}
	sources := f.nats.sources
	if f.up {
		sources = newest(sources) // each start of juliu up with its sandbox is another source
	}
	var found []finding
	known := false
	for _, s := range sources {
		known = known || s.Source == f.reading.Source
		found = append(found, f.aboutSource(s)...)
	}
	for _, name := range slices.Sorted(maps.Keys(f.nats.holders)) {
		found = append(found, f.aboutUnread(name)...)
	}
	if !known && f.ours && f.reading.Start.IsZero() && len(f.nats.denied) == 0 && len(f.nats.differences) == 0 {
		found = append(found, find(levelFail, "no-start", "source", f.reading.Source))
	}
	if len(sources) == 0 && len(f.nats.denied) == 0 && f.nats.silent == nil {
		return unless(found, "no-sources")
	}
	if len(sources) == 0 {
		return found // not seen, as was said
	}
	return unless(found, "sources")
}

// aboutUnread is about a source whose lease is held while nothing of it was ever committed.
func (f *facts) aboutUnread(name string) []finding {
	holder := f.nats.holders[name]
	if slices.ContainsFunc(f.nats.sources, func(s stream.SourceState) bool { return s.Source == name }) ||
		f.nats.sources == nil && (len(f.nats.denied) > 0 || f.nats.silent != nil) {
		return nil
	}
	if since := f.now.Sub(holder.Since); !holder.Since.IsZero() && since > max(f.stale(), firstCommit) {
		return []finding{find(levelFail, "uncommitted", "source", name, "since", spell(since), "holder", holder.Name)}
	}
	return nil
}

// firstCommit is how long an extractor may take for its first commit, which needs one page.
const firstCommit = 2 * time.Minute

// newest is the source that was committed last.
func newest(sources []stream.SourceState) []stream.SourceState {
	var last []stream.SourceState
	for _, s := range sources {
		if last == nil || s.Checkpoint.GetCommittedAt().AsTime().After(last[0].Checkpoint.GetCommittedAt().AsTime()) {
			last = []stream.SourceState{s}
		}
	}
	return last
}

func (f *facts) aboutSource(s stream.SourceState) []finding {
	c := s.Checkpoint
	committed, cursor := c.GetCommittedAt().AsTime(), c.GetCursor().AsTime()
	holder, held := f.nats.holders[s.Source]
	own := s.Source == f.reading.Source
	silence := f.now.Sub(committed)
	var found []finding
	switch {
	case cursor.After(f.now.Add(clockTolerance)):
		found = append(found, find(levelFail, "future", "source", s.Source, "cursor", cursor.Format(time.RFC3339)))
	case silence <= f.stale():
	case held || f.up:
		name := holder.Name
		if f.up {
			name = "juliu up"
		}
		found = append(found, find(f.stuckLevel(own, silence), "stuck-source", "source", s.Source, "since", spell(silence), "holder", name))
	case f.nats.holders == nil: // the right to see the lease is missing, as was said
	case own:
		found = append(found, find(levelFail, "unread", "source", s.Source, "since", spell(silence)))
	default:
		found = append(found, find(levelWarn, "unread-other", "source", s.Source, "since", spell(silence)))
	}
	if silence <= f.stale() && standing(c) {
		found = append(found, find(levelWarn, "stuck-cursor", "source", s.Source, "cursor", cursor.Format(time.RFC3339),
			"since", spell(f.now.Sub(c.GetReadAt().AsTime()))))
	}
	if own && f.ours && c.GetFilter() != f.reading.Filter.String() {
		found = append(found, find(levelFail, "filter", "source", s.Source, "have", c.GetFilter(), "want", f.reading.Filter.String()))
	}
	if every := f.reading.SweepEvery; own && held && every > 0 && c.GetSweptAt() != nil {
		if since := f.now.Sub(c.GetSweptAt().AsTime()); since > 2*every+time.Hour {
			found = append(found, find(levelWarn, "sweep", "source", s.Source, "since", spell(since), "every", spell(every)))
		}
	}
	return found
}

// stuckLevel is how bad it is that a holder commits nothing: where its EXTRACTOR_INTERVAL is not known it may be an hour.
func (f *facts) stuckLevel(own bool, silence time.Duration) level {
	if own && f.ours || f.up || silence > 3*time.Hour+f.reading.Settle {
		return levelFail
	}
	return levelWarn
}

// aboutShops says what no look can tell: the interface may leave out whole shops.
func aboutShops(f facts) []finding {
	var found []finding
	for _, source := range slices.Sorted(maps.Keys(f.nats.shops)) {
		if strings.HasPrefix(source, sandboxSource) {
			continue // it shows all of its shops
		}
		shops := f.nats.shops[source]
		text := strings.Join(shops[:min(len(shops), namedShops)], ", ")
		if len(shops) > namedShops {
			text += ", …"
		}
		found = append(found, find(levelSkip, "shops", "source", source, "count", strconv.Itoa(len(shops)), "shops", text))
	}
	return found
}

// namedShops are as many as fit on a line.
const namedShops = 10

const (
	// clockTolerance is how far clocks may differ without harm.
	clockTolerance = 10 * time.Second
	// clockLimit is how much of a difference the extractor's memory of what is stored allows for.
	clockLimit = 5 * time.Minute
)

func aboutClock(f facts) []finding {
	var found []finding
	seen := false
	for _, clock := range []struct {
		code  string
		ahead *time.Duration
	}{{"clock-nats", f.nats.ahead}, {"clock-erp", f.erp.ahead}} {
		ahead := clock.ahead
		if ahead == nil {
			continue
		}
		seen = true
		l := levelWarn
		if ahead.Abs() > clockLimit {
			l = levelFail
		}
		if ahead.Abs() <= clockTolerance {
			continue
		}
		side := "ahead"
		if *ahead < 0 {
			side = "behind"
		}
		found = append(found, find(l, clock.code+"-"+side, "difference", spell(ahead.Abs())))
	}
	if !seen {
		return []finding{find(levelSkip, "clock-unseen")}
	}
	return unless(found, "clock")
}
