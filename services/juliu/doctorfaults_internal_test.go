package juliu

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"juliu/pkg/audit"
	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/secret"
	"juliu/pkg/setting"
	"juliu/pkg/sink/postgres"
	"juliu/pkg/stream"
	juliuv1 "juliu/proto/juliu/v1"
)

// fault is something that is wrong and the one finding that it must have, with a word of its text.
type fault struct {
	spoil func(f *facts)
	want  string
	say   string
}

func faults() map[string]fault {
	refused := func(kind jushuitan.Kind) func(f *facts) {
		return func(f *facts) {
			f.erp.skipped, f.erp.err = "", &jushuitan.Error{Gateway: jushuitan.OpenAPI, Endpoint: "sales-out", Kind: kind, IP: "203.0.113.7"}
		}
	}
	ago := func(f *facts, d time.Duration) *timestamppb.Timestamp { return timestamppb.New(f.now.Add(-d)) }
	span := func(d time.Duration) *time.Duration { return &d }
	return map[string]fault{
		"nats is down":               {func(f *facts) { f.nats = natsFacts{err: errors.New("no servers")} }, "fail nats-unreachable", "NATS_URL"},
		"no answer":                  {func(f *facts) { f.nats.note(errors.New("deadline exceeded")) }, "fail nats-silent", "deadline"},
		"jetstream is off":           {func(f *facts) { f.nats.note(stream.ErrNoJetStream) }, "fail jetstream-off", "store_dir"},
		"an old server":              {func(f *facts) { f.nats.account.APILevel = 3 }, "warn nats-old", "2.14"},
		"a small max_payload":        {func(f *facts) { f.nats.server.MaxPayload = 64 << 10 }, "warn payload", "64.0 KiB"},
		"the account is nearly full": {func(f *facts) { f.nats.account.Store = 39 << 30 }, "fail account-full", "max_file_store"},
		"a right is missing": {
			func(f *facts) { f.nats.note(&stream.PermissionError{Operation: "publish", Subject: "$JS.API.INFO"}) }, "warn right", "publish $JS.API.INFO",
		},
		"not provisioned": {
			func(f *facts) {
				f.nats.note(&stream.TopologyError{Differences: []string{"stream JUSHUITAN is missing"}})
			}, "fail not-provisioned", "juliu provision",
		},
		"the stream fills up":     {func(f *facts) { f.nats.streams[0].Bytes = 17 << 30 }, "warn stream-full", "STREAM_MAX_BYTES"},
		"the stream is full":      {func(f *facts) { f.nats.streams[0].Bytes = 20 << 30 }, "fail stream-full", "100 %"},
		"another age was asked":   {func(f *facts) { f.asked.maxAge = span(48 * time.Hour) }, "warn limit", "STREAM_MAX_AGE"},
		"kept shorter than swept": {func(f *facts) { f.asked.maxAge = nil; f.nats.streams[0].MaxAge = time.Hour }, "warn age-short", "EXTRACTOR_SWEEP_SPAN"},
		"kept shorter than audited": {func(f *facts) {
			f.asked.maxAge, f.nats.streams[0].MaxAge = nil, 72*time.Hour
			f.reading.AuditEvery, f.reading.AuditSpan = 24*time.Hour, 168*time.Hour
		}, "warn age-audit", "EXTRACTOR_AUDIT_SPAN"},
		"no leader":                  {func(f *facts) { f.nats.streams[1].Leaderless = true }, "fail leaderless", stream.DeadLetterStream},
		"a replica is behind":        {func(f *facts) { f.nats.streams[0].Behind = []string{"n2"} }, "warn replica", "n2"},
		"one copy in a cluster":      {func(f *facts) { f.nats.streams[1].Replicas = 1 }, "warn one-copy", "STREAM_REPLICAS=3"},
		"a short ack_wait":           {func(f *facts) { f.nats.consumer.AckWait = time.Second }, "warn consumer", "ack_wait 1s"},
		"too many loaders":           {func(f *facts) { f.nats.consumer.Waiting = 17 }, "warn pending-limit", "fewer loaders"},
		"the pending limit":          {func(f *facts) { f.nats.consumer.AckPending = 16 << 10; f.nats.consumer.Acked = f.now }, "warn pending-limit", "16384"},
		"the live lane stands":       {func(f *facts) { f.nats.sources[0].Checkpoint.ReadAt = ago(f, time.Hour) }, "warn stuck-cursor", "cursor has stood"},
		"nothing was ever committed": {func(f *facts) { f.nats.sources = nil }, "fail uncommitted", "erp-1/4711"},
		"nothing was ever committed of another source": {func(f *facts) {
			f.nats.holders["shop2"] = control.Holder{Name: "erp-2/1", Since: f.now.Add(-time.Hour)}
		}, "fail uncommitted", "erp-2/1"},
		"no progress where the interval is not known": {func(f *facts) {
			f.ours, f.nats.sources[0].Checkpoint.CommittedAt = false, ago(f, 10*time.Minute)
		}, "warn stuck-source", "EXTRACTOR_INTERVAL"},
		"no progress at any interval": {func(f *facts) {
			f.ours, f.nats.sources[0].Checkpoint.CommittedAt = false, ago(f, 4*time.Hour)
		}, "fail stuck-source", "erp-1/4711"},
		"records near their end": {func(f *facts) {
			f.nats.consumer.Pending, f.nats.oldest, f.nats.snapshot.MaxAge = 9, f.now.Add(-600*time.Hour), 720*time.Hour
		}, "fail expiring", "never gets"},
		"a slow sink": {func(f *facts) { f.nats.before, f.nats.snapshot = twoSnapshots(f.now, 10) }, "warn handling", "50 s"},
		"a record that hangs": {func(f *facts) {
			f.nats.consumer.AckPending, f.nats.consumer.Acked, f.nats.oldest = 1, f.now, f.now.Add(-2*time.Hour)
			f.nats.before, f.nats.snapshot.AckPending = &stream.Snapshot{Records: 10}, 1
		}, "warn hung-record", "2 h 0 min"},
		"a backlog of hours": {func(f *facts) {
			f.nats.before, f.nats.snapshot = twoSnapshots(f.now, 100)
			f.nats.oldest = f.now.Add(-5 * time.Hour)
		}, "warn backlog", "200.0 are loaded"},
		"an erp that only the extractor reaches": {func(f *facts) { f.erp.dateErr = errors.New("refused") }, "warn erp-unreachable-here", "erp-1/4711"},
		"a lowered quota":                        {func(f *facts) { f.nats.holders["main"].Quota.Allowed = 60 }, "warn quota-lowered", "JST_RATE_PER_MINUTE=60"},
		"an audit with a gap": {func(f *facts) {
			f.nats.jobs[0].Report = reportOf(f.now, gap)
		}, "fail audit-gaps", "juliu audit --source main --from 2026-11-22T16:00:00Z --to 2026-11-23T16:00:00Z --repair"},
		"a gap of long ago": {func(f *facts) {
			f.nats.jobs = append(f.nats.jobs, control.Job{
				ID: "20261101-040000-abc", Kind: "audit", Source: "main", State: control.Done, Report: reportOf(f.now.Add(-500*time.Hour), gap),
			})
		}, "fail audit-gaps", "20261101-040000-abc"},
		"a gap that one shop's audit hides": {func(f *facts) {
			f.nats.jobs[0].Report = reportOf(f.now, func(r *audit.Report) { r.Shop = "7" })
			f.nats.jobs = append(f.nats.jobs, control.Job{ID: "20261123-040000-abc", Kind: "audit", Source: "main", State: control.Done, Report: reportOf(f.now, gap)})
		}, "fail audit-gaps", "20261123-040000-abc"},
		"an audit that is late": {func(f *facts) { f.nats.jobs[0].Ended = f.now.Add(-50 * time.Hour) }, "warn audit-late", "every 24 h"},
		"an audit that failed": {func(f *facts) {
			f.nats.jobs = slices.Insert(f.nats.jobs, 0, control.Job{ID: "20261124-050000-abc", Kind: "audit", Source: "main", State: control.Failed, Ended: f.now, Problem: "code 190"})
		}, "warn job-failed", "code 190"},
		"a backfill that failed": {func(f *facts) {
			f.nats.jobs = append(f.nats.jobs, control.Job{ID: "20261124-050000-abc", Kind: "backfill", State: control.Failed, Ended: f.now.Add(-time.Hour), Problem: "code 190"})
		}, "warn job-failed", "juliu backfill"},
		"a job that cannot be read": {func(f *facts) {
			f.nats.jobs = append(f.nats.jobs, control.Job{ID: "x", Kind: "replay", State: control.Failed, Problem: "remove it with: nats kv del"})
		}, "warn job-failed", "nats kv del"},
		"a job that stands": {func(f *facts) {
			f.nats.jobs = append(f.nats.jobs, control.Job{ID: "20261124-050000-abc", Kind: "backfill", State: control.Running, Updated: f.now.Add(-2 * time.Hour)})
		}, "warn job-stands", "2 h 0 min"},
		"redeliveries":             {func(f *facts) { f.nats.consumer.Redelivered = 3; f.nats.consumer.Acked = f.now }, "warn redelivered", "3 records"},
		"dead letters":             {func(f *facts) { f.nats.snapshot.DeadLetters = 4 }, "warn dead-letters", "juliu dlq list"},
		"nobody loads":             {func(f *facts) { f.nats.consumer.Waiting, f.nats.consumer.Pending, f.nats.snapshot.Pending = 0, 9, 9 }, "fail no-loader", "9 records"},
		"the ack floor stands":     {func(f *facts) { f.nats.consumer.AckPending = 9 }, "fail stuck-loader", "1 h 0 min"},
		"a lease without progress": {func(f *facts) { f.nats.sources[0].Checkpoint.CommittedAt = ago(f, 76*time.Second) }, "fail stuck-source", "erp-1/4711"},
		"nobody reads": {func(f *facts) {
			f.nats.sources[0].Checkpoint.CommittedAt, f.nats.holders = ago(f, time.Hour), map[string]control.Holder{}
		}, "fail unread", "start the extractor"},
		"nobody reads another merchant": {func(f *facts) {
			f.nats.sources = append(f.nats.sources, stream.SourceState{Source: "shop2", Checkpoint: &juliuv1.Checkpoint{CommittedAt: ago(f, time.Hour)}})
		}, "warn unread-other", "EXTRACTOR_SOURCE=shop2"},
		"a checkpoint of tomorrow": {func(f *facts) { f.nats.sources[0].Checkpoint.Cursor = ago(f, -time.Hour) }, "fail future", "NTP"},
		"another filter":           {func(f *facts) { f.reading.Filter.Status = "Confirmed" }, "fail filter", "EXTRACTOR_STATUS"},
		"no sweep":                 {func(f *facts) { f.nats.sources[0].Checkpoint.SweptAt = ago(f, 10*time.Hour) }, "warn sweep", "every 1 h 0 min"},
		"no begin": {func(f *facts) {
			f.nats.sources, f.nats.holders, f.reading.Start = nil, map[string]control.Holder{}, time.Time{}
		}, "fail no-start", "EXTRACTOR_START"},
		"a job that waits": {func(f *facts) {
			f.nats.jobs = []control.Job{{ID: "20261124-1", Kind: "backfill", State: control.Running, Problem: "code\n190"}}
		}, "warn job", "code 190"},
		"nats' clock":          {func(f *facts) { f.nats.ahead = span(-time.Minute) }, "warn clock-nats-behind", "1 min"},
		"nats' clock, far off": {func(f *facts) { f.nats.ahead = span(time.Hour) }, "fail clock-nats-ahead", "NTP"},
		"the erp's clock":      {func(f *facts) { f.erp.ahead = span(20 * time.Minute) }, "fail clock-erp-ahead", "20 min"},
		"a broken signature":   {func(f *facts) { f.erp.signature = errors.New("got x") }, "fail signature", "got x"},
		"too high a rate":      {func(f *facts) { f.reading.ERP.RatePerMinute = 200 }, "warn rate", "JST_RATE_PER_MINUTE=100"},
		"a setting": {func(f *facts) {
			f.problems = []setting.Problem{{Name: "JST_GATEWAY", Fault: "is wrong", Remedy: "choose"}}
		}, "fail setting", "JST_GATEWAY is wrong"},
		"an address not allowed": {refused(jushuitan.IPNotAllowed), "fail erp-ip", "203.0.113.7"},
		"no grant":               {refused(jushuitan.NotGranted), "fail erp-grant", "190"},
		"a wrong secret":         {refused(jushuitan.Signature), "fail erp-signature", "JST_APP_SECRET"},
		"a dead token":           {refused(jushuitan.TokenExpired), "fail erp-token", "JST_ACCESS_TOKEN"},
		"the call's time":        {refused(jushuitan.ClockSkew), "fail erp-clock", "NTP"},
		"an unknown shop":        {refused(jushuitan.UnknownShop), "fail erp-shop", "EXTRACTOR_SHOP_ID"},
		"the quota is used up":   {refused(jushuitan.RateLimitedMinute), "warn erp-limit", "another program"},
		"an unknown code":        {refused(jushuitan.Unknown), "fail erp-other", "support"},
		"no erp there": {func(f *facts) {
			f.erp.dateErr, f.nats.holders = errors.New("refused"), map[string]control.Holder{}
		}, "fail erp-unreachable", "JST_BASE_URL"},
		"an erp that hangs": {func(f *facts) {
			f.erp.dateErr, f.erp.skipped, f.erp.err, f.nats.holders = context.DeadlineExceeded, "", context.DeadlineExceeded, map[string]control.Holder{}
		}, "fail erp-unreachable", "deadline"},
		"an erp that hangs on calls alone": {func(f *facts) {
			f.erp.skipped, f.erp.err = "", context.DeadlineExceeded
		}, "fail erp-other", "deadline"},
		"an ended token":    {func(f *facts) { f.token.expires = f.now.Add(-time.Hour) }, "fail token-ended", "1 h 0 min"},
		"a token that ends": {func(f *facts) { f.token.expires = f.now.Add(48 * time.Hour) }, "warn token-ends", "2 d"},
		"a sealed token":    {func(f *facts) { f.token = tokenFacts{sealed: true} }, "fail token-sealed", "JST_APP_SECRET"},
		"no refresh token":  {func(f *facts) { f.reading.ERP.RefreshToken = secret.Text{} }, "warn token-unrefreshed", "JST_REFRESH_TOKEN"},
		"no database": {func(f *facts) {
			f.sink = sinkFacts{name: "postgres", err: &postgres.OpenError{Fault: "names a database that does not exist", Remedy: "create it"}}
		}, "fail sink-postgres", "create it"},
		"a database that hangs":     {func(f *facts) { f.sink = sinkFacts{name: "postgres", err: context.DeadlineExceeded} }, "fail sink-postgres", "in time"},
		"a database without tables": {func(f *facts) { f.sink = sinkFacts{name: "postgres"} }, "warn sink-tables", "start a loader"},
		"no receiver":               {func(f *facts) { f.sink = sinkFacts{name: "webhook", err: errors.New("refused")} }, "fail sink-webhook", "LOADER_WEBHOOK_URL"},
		"no folder":                 {func(f *facts) { f.sink = sinkFacts{name: "jsonl", err: errors.New("absent")} }, "fail sink-jsonl", "LOADER_JSONL_PATH"},
		"a disk nearly full":        {func(f *facts) { f.disk.free = 1 << 30 }, "warn disk-low", "--data"},
		"a full disk":               {func(f *facts) { f.disk.free = 1 << 20 }, "fail disk-low", "make room"},
	}
}

// twoSnapshots are half a second apart, with 1000 records in hand and so many loaded between them.
func twoSnapshots(now time.Time, loaded uint64) (*stream.Snapshot, *stream.Snapshot) {
	before := &stream.Snapshot{At: now.Add(-between), Records: 5000, ConsumerState: stream.ConsumerState{Pending: 2000, AckPending: 1000, Waiting: 1}}
	after := *before
	after.At, after.Pending = now, 2000-loaded
	return before, &after
}
