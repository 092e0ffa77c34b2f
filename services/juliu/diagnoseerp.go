package juliu

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"juliu/pkg/jushuitan"
	"juliu/pkg/sink/postgres"
)

func aboutERP(f facts) []finding {
	e := f.erp
	var found []finding
	if holder, reads := f.reader(); reads && e.dateErr != nil {
		found = append(found, find(levelWarn, "erp-unreachable-here", "address", e.address, "cause", e.dateErr.Error(), "holder", holder,
			"remedy", remedyOf(jushuitan.Unreachable)))
	} else if e.dateErr != nil {
		found = append(found, find(levelFail, "erp-unreachable", "address", e.address, "cause", e.dateErr.Error(), "remedy", remedyOf(jushuitan.Unreachable)))
	}
	switch {
	case e.skipped != "":
		return append(found, find(levelSkip, e.skipped, "holder", e.holder, "source", f.reading.Source))
	case e.err == nil:
		return unless(found, "erp")
	}
	refusal, ok := errors.AsType[*jushuitan.Error](e.err)
	switch silent := !ok || refusal.Kind == jushuitan.Unreachable || refusal.Kind == jushuitan.Timeout; {
	case silent && e.dateErr != nil:
		return found // one cause, as was said
	case !ok:
		return append(found, find(levelFail, "erp-other", "cause", e.err.Error(), "remedy", remedyOf(jushuitan.Timeout)))
	}
	l, code := levelFail, codeOf(refusal.Kind)
	if code == "erp-limit" {
		l = levelWarn
	}
	return append(found, find(l, code, "cause", refusal.Error(), "remedy", refusal.Remedy(), "ip", refusal.IP, "address", e.address))
}

// reader is who holds the source of this environment, and whether its commits are fresh.
func (f *facts) reader() (string, bool) {
	for _, s := range f.nats.sources {
		holder, held := f.nats.holders[s.Source]
		if held && s.Source == f.reading.Source {
			return holder.Name, f.now.Sub(s.Checkpoint.GetCommittedAt().AsTime()) <= f.stale()
		}
	}
	return "", false
}

// remedyOf is what to do about a kind of failure that no answer tells more about.
func remedyOf(kind jushuitan.Kind) string { return (&jushuitan.Error{Kind: kind}).Remedy() }

// codeOf is the finding of a refusal.
func codeOf(kind jushuitan.Kind) string {
	code, ok := map[jushuitan.Kind]string{
		jushuitan.IPNotAllowed: "erp-ip", jushuitan.NotGranted: "erp-grant", jushuitan.Signature: "erp-signature",
		jushuitan.TokenExpired: "erp-token", jushuitan.ClockSkew: "erp-clock", jushuitan.UnknownShop: "erp-shop",
		jushuitan.RateLimitedSecond: "erp-limit", jushuitan.RateLimitedMinute: "erp-limit", jushuitan.Unreachable: "erp-unreachable",
	}[kind]
	if !ok {
		return "erp-other"
	}
	return code
}

// aboutQuota is about what those who call the ERP tell with their leases.
func aboutQuota(f facts) []finding {
	var found []finding
	for _, source := range slices.Sorted(maps.Keys(f.nats.holders)) {
		q := f.nats.holders[source].Quota
		if q == nil {
			continue
		}
		pairs := []string{
			"source", source, "used", strconv.Itoa(q.Used), "allowed", strconv.Itoa(q.Allowed), "configured", strconv.Itoa(q.Configured),
			"refused", strconv.FormatUint(q.Refused, 10),
		}
		if q.Allowed < q.Configured {
			found = append(found, find(levelWarn, "quota-lowered", pairs...))
		} else {
			found = append(found, find(levelOK, "quota", pairs...))
		}
	}
	if len(found) == 0 {
		return []finding{find(levelSkip, "quota-unseen")}
	}
	return found
}

// tokenLead is how long before its end a token should have been refreshed: the extractor begins six days before, or when a third of its
// term is left.
const tokenLead = 3 * 24 * time.Hour

func aboutToken(f facts) []finding {
	t := f.token
	if t.skipped != "" {
		return []finding{find(levelSkip, t.skipped)}
	}
	if t.sealed {
		return []finding{find(levelFail, "token-sealed", "source", f.reading.Source)}
	}
	lead := tokenLead
	if t.term > 0 {
		lead = min(lead, t.term/6)
	}
	left := t.expires.Sub(f.now)
	refreshed := f.reading.ERP.Gateway == jushuitan.Partner || !f.reading.ERP.RefreshToken.IsZero()
	switch {
	case !t.expires.IsZero() && left <= 0:
		return []finding{find(levelFail, "token-ended", "since", spell(-left))}
	case !t.expires.IsZero() && left < lead:
		return []finding{find(levelWarn, "token-ends", "left", spell(left))}
	case !refreshed:
		return []finding{find(levelWarn, "token-unrefreshed")}
	case t.expires.IsZero():
		return []finding{find(levelSkip, "token-unknown")}
	default:
		return []finding{find(levelOK, "token", "left", spell(left))}
	}
}

func aboutSink(f facts) []finding {
	s := f.sink
	switch {
	case s.unread:
		return nil // what is wrong with the settings was said
	case s.name == "":
		return []finding{find(levelSkip, "sink-unnamed")}
	case s.err != nil:
		// Only a database that takes the connection and then says nothing gives no better words.
		fault, remedy := "names a server that does not answer in time", "see that it is a PostgreSQL server and not overloaded"
		if refused, ok := errors.AsType[*postgres.OpenError](s.err); ok {
			fault, remedy = refused.Fault, refused.Remedy
		}
		return []finding{find(levelFail, "sink-"+s.name, "cause", s.err.Error(), "fault", fault, "remedy", remedy)}
	case !s.migrated:
		return []finding{find(levelWarn, "sink-tables")}
	default:
		return []finding{find(levelOK, "sink", "name", s.name)}
	}
}

// What a disk should have left in bytes: below the first it is worth a look, below the second commits fail soon.
const (
	diskLow   = 2 << 30
	diskEmpty = 256 << 20
)

func aboutDisk(f facts) []finding {
	d := f.disk
	pairs := []string{"folder", d.folder, "free", bytesText(d.free), "total", bytesText(d.total)}
	switch {
	case d.folder == "":
		return []finding{find(levelSkip, "disk-unused")}
	case d.err != nil:
		return []finding{find(levelWarn, "disk-unseen", "folder", d.folder, "cause", d.err.Error())}
	case d.free < diskEmpty:
		return []finding{find(levelFail, "disk-low", pairs...)}
	case d.free < diskLow:
		return []finding{find(levelWarn, "disk-low", pairs...)}
	default:
		return []finding{find(levelOK, "disk", pairs...)}
	}
}
