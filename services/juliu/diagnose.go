package juliu

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"juliu/pkg/stream"
)

// level is how bad a finding is.
type level string

// The levels: fine, worth a look, broken, and not looked at.
const (
	levelOK   level = "ok"
	levelWarn level = "warn"
	levelFail level = "fail"
	levelSkip level = "skip"
)

// finding is one thing that doctor has to say; its words stand in texts under code.
type finding struct {
	code  string
	level level
	// values take the places of {name} in the words.
	values map[string]string
	// up says that a juliu up runs, whose cures may be others.
	up bool
}

// find makes a finding of a code and pairs of names and values.
func find(l level, code string, pairs ...string) finding {
	f := finding{code: code, level: l, values: map[string]string{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.values[pairs[i]] = pairs[i+1]
	}
	return f
}

// diagnose judges the facts. Each area has at least one finding: what is wrong, else that it is fine, or why it was not looked at.
func diagnose(f facts) []finding {
	var all []finding
	for _, area := range []func(facts) []finding{
		aboutSettings, aboutServer, aboutStreams, aboutLoaders, aboutSources, aboutShops, aboutAudits, aboutJobs, aboutClock, aboutERP, aboutQuota,
		aboutToken, aboutSink, aboutDisk,
	} {
		all = append(all, area(f)...)
	}
	for i := range all {
		all[i].up = f.up
		settings := f.settings(all[i].code)
		all[i].values["provision"], all[i].values["again"] = settings+"juliu provision", settings+"juliu up"
	}
	return all
}

// unless adds that an area is fine where nothing in it is wrong.
func unless(found []finding, code string, pairs ...string) []finding {
	for _, one := range found {
		if one.level == levelWarn || one.level == levelFail {
			return found
		}
	}
	return append([]finding{find(levelOK, code, pairs...)}, found...)
}

func aboutSettings(f facts) []finding {
	var found []finding
	for _, p := range f.problems {
		found = append(found, find(levelFail, "setting", "name", p.Name, "fault", p.Fault, "remedy", p.Remedy))
	}
	if sum := f.erp.signature; sum != nil {
		found = append(found, find(levelFail, "signature", "cause", sum.Error()))
	}
	if f.ours && (f.reading.ERP.RatePerSecond > vendorSecond || f.reading.ERP.RatePerMinute > vendorMinute) && f.reading.ERP.BaseURL == "" {
		found = append(found, find(levelWarn, "rate", "second", strconv.Itoa(f.reading.ERP.RatePerSecond), "minute", strconv.Itoa(f.reading.ERP.RatePerMinute)))
	}
	return unless(found, "settings")
}

// The vendor's limits behind codes 199 and 200.
const (
	vendorSecond = 5
	vendorMinute = 100
)

func aboutServer(f facts) []finding {
	n := f.nats
	if n.err != nil {
		return []finding{find(levelFail, "nats-unreachable", "cause", n.err.Error())}
	}
	if n.noJetStream {
		return []finding{find(levelFail, "jetstream-off", "server", n.server.Address)}
	}
	var found []finding
	if n.account != nil && n.account.APILevel < stream.MinAPILevel {
		found = append(found, find(levelWarn, "nats-old", "version", n.server.Version, "level", strconv.Itoa(n.account.APILevel)))
	}
	if n.server.MaxPayload < stream.MinPayload {
		found = append(found, find(levelWarn, "payload", "size", bytesText(uint64(max(n.server.MaxPayload, 0)))))
	}
	if n.account != nil {
		found = append(found, full("account-full", n.account.Store, n.account.MaxStore)...)
	}
	if len(n.denied) > 0 {
		found = append(found, find(levelWarn, "right", "rights", strings.Join(n.denied, ", ")))
	}
	if n.silent != nil {
		found = append(found, find(levelFail, "nats-silent", "cause", n.silent.Error()))
	}
	if !f.up {
		found = append(found, find(levelSkip, "sync"))
	}
	return unless(found, "nats", "server", n.server.Address, "version", n.server.Version)
}

// full judges how much of a limit is used; a limit of 0 is none.
func full(code string, used, limit uint64) []finding {
	if limit == 0 {
		return nil
	}
	share := float64(used) / float64(limit)
	pairs := []string{"used", bytesText(used), "limit", bytesText(limit), "share", fmt.Sprintf("%.0f %%", share*100)}
	switch {
	case share >= 0.95:
		return []finding{find(levelFail, code, pairs...)}
	case share >= worrying:
		return []finding{find(levelWarn, code, pairs...)}
	default:
		return nil
	}
}

func aboutStreams(f facts) []finding {
	n := f.nats
	if n.err != nil || n.noJetStream {
		return nil
	}
	var found []finding
	if len(n.differences) > 0 {
		found = append(found, find(levelFail, "not-provisioned", "differences", strings.Join(unique(n.differences), "; ")))
	}
	for _, s := range n.streams {
		found = append(found, aboutStream(f, s)...)
	}
	if len(n.streams) == 0 && len(found) == 0 {
		return []finding{find(levelSkip, "streams-unseen")}
	}
	return unless(found, "streams")
}

func aboutStream(f facts, s stream.Condition) []finding {
	var found []finding
	if s.Leaderless {
		found = append(found, find(levelFail, "leaderless", "stream", s.Name))
	}
	if len(s.Behind) > 0 {
		found = append(found, find(levelWarn, "replica", "stream", s.Name, "servers", strings.Join(s.Behind, ", ")))
	}
	if s.Replicas == 1 && f.nats.server.Cluster != "" {
		found = append(found, find(levelWarn, "one-copy", "stream", s.Name, "cluster", f.nats.server.Cluster))
	}
	if s.Name != stream.Stream {
		return found
	}
	found = append(found, full("stream-full", s.Bytes, s.MaxBytes)...)
	differs := func(name, have, want string) {
		if have != want {
			found = append(found, find(levelWarn, "limit", "name", name, "have", have, "want", want))
		}
	}
	if a := f.asked.replicas; a != nil {
		differs("STREAM_REPLICAS", strconv.Itoa(s.Replicas), strconv.Itoa(max(*a, 1)))
	}
	if a := f.asked.maxAge; a != nil {
		differs("STREAM_MAX_AGE", s.MaxAge.String(), a.String())
	}
	if a := f.asked.maxBytes; a != nil {
		differs("STREAM_MAX_BYTES", strconv.FormatUint(s.MaxBytes, 10), strconv.FormatInt(max(*a, 0), 10))
	}
	if s.MaxAge > 0 && f.reading.SweepEvery > 0 && s.MaxAge < f.reading.SweepSpan {
		found = append(found, find(levelWarn, "age-short", "age", spell(s.MaxAge), "span", spell(f.reading.SweepSpan)))
	}
	if s.MaxAge > 0 && f.reading.AuditEvery > 0 && s.MaxAge < f.reading.AuditSpan {
		found = append(found, find(levelWarn, "age-audit", "age", spell(s.MaxAge), "span", spell(f.reading.AuditSpan)))
	}
	return found
}

// unique leaves out what was said before.
func unique(texts []string) []string {
	seen := map[string]bool{}
	var once []string
	for _, text := range texts {
		if !seen[text] {
			seen[text] = true
			once = append(once, text)
		}
	}
	return once
}

// settings are what provision must be told, so that it cures a finding and leaves the limits otherwise as they are: what the environment
// asks for, else what the stream has. It sets what is not named to its default.
func (f *facts) settings(code string) string {
	replicas, maxAge, maxBytes := 1, time.Duration(0), int64(0)
	for _, s := range f.nats.streams {
		if s.Name == stream.Stream {
			replicas, maxAge, maxBytes = s.Replicas, s.MaxAge, int64(s.MaxBytes) //nolint:gosec // the server's own is an int64
		}
	}
	if f.asked.replicas != nil {
		replicas = *f.asked.replicas
	}
	if f.asked.maxAge != nil {
		maxAge = *f.asked.maxAge
	}
	if f.asked.maxBytes != nil {
		maxBytes = *f.asked.maxBytes
	}
	if code == "one-copy" {
		replicas = 3
	}
	text := ""
	if replicas > 1 {
		text += "STREAM_REPLICAS=" + strconv.Itoa(replicas) + " "
	}
	if maxAge > 0 {
		text += "STREAM_MAX_AGE=" + maxAge.String() + " "
	}
	if maxBytes > 0 {
		text += "STREAM_MAX_BYTES=" + strconv.FormatInt(maxBytes, 10) + " "
	}
	return text
}
