package embednats_test

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"juliu/pkg/stream"
)

// users are those of deploy/nats/permissions.conf, by their letters in the matrix.
func users() map[string]string {
	return map[string]string{"p": "provision", "x": "extractor", "l": "loader", "r": "reader", "o": "operator", "a": "auditor"}
}

// publishMatrix says who may publish to a subject; whoever is not named must be refused.
func publishMatrix() map[string]string {
	m := map[string]string{
		// Orders, checkpoints, dead letters, history.
		"jst.record.sales-out.main.1.7": "x", "jst.record.refund.main.1.7": "x", "jst.record.sales-out.other.1.7": "", "jst.record.x": "",
		"jst.record.sales-out.main.1.7.requeue": "xo", "jst.record.sales-out.other.1.7.requeue": "o",
		"jst.checkpoint.sales-out.main": "x", "jst.checkpoint.sales-out.other": "", "jst.checkpoint.sales-out.main.x": "",
		"jst.dlq.sales-out.main.1.7": "xl", "jst.dlq.sales-out.other.1.7": "l", "jst.audit.dlq": "o", "jst.audit.x": "", "jst.x": "",
		// Buckets.
		"$KV.juliu-leases.main": "x", "$KV.juliu-leases.other": "", "$KV.juliu-tokens.main": "x", "$KV.juliu-tokens.other": "",
		"$KV.juliu-jobs.backfill.1": "xoa", "$KV.juliu-jobs.replay.1": "xloa", "$KV.juliu-jobs.x": "",
		"$O.juliu-payloads.C.x": "xlo", "$O.juliu-payloads.M.x": "xlo", "$KV.other.x": "", "$O.other.C.x": "",
		// Acknowledgements, by both forms of their subject, and what nobody needs.
		"$JS.ACK.JUSHUITAN.loader.1.1.1.1.1": "l", "$JS.ACK.JUSHUITAN.replay-x.1.1.1.1.1": "l", "$JS.ACK._._.JUSHUITAN.loader.1.1.1.1.1.x": "",
		"$JS.ACK.KV_juliu-jobs.x.1.1.1.1.1": "", "$JS.ACK.JUSHUITAN_DLQ.x.1.1.1.1.1": "",
		"_INBOX.juliu.extractor.x": "", "_INBOX.juliu.loader.x": "", "_INBOX.x.y": "", "$SYS.REQ.SERVER.PING": "", "$SYS.REQ.USER.INFO": "", "any": "",
		// The account, and streams of others.
		"$JS.API.INFO": "pr", "$JS.API.STREAM.NAMES": "", "$JS.API.STREAM.LIST": "", "$JS.API.STREAM.CREATE.OTHER": "", "$JS.API.STREAM.DELETE.OTHER": "",
		"$JS.API.STREAM.PEER.REMOVE.OTHER": "", "$JS.API.META.LEADER.STEPDOWN": "", "$JS.API.ACCOUNT.PURGE.x": "", "$JS.API.SERVER.REMOVE": "",
	}
	api := func(stream string, who map[string]string) {
		for operation, letters := range who {
			verb, rest, _ := strings.Cut(operation, "/")
			m[strings.TrimSuffix("$JS.API."+verb+"."+stream+"."+rest, ".")] = letters
		}
	}
	api("JUSHUITAN", map[string]string{
		"STREAM.INFO": "pxlroa", "STREAM.CREATE": "p", "STREAM.UPDATE": "p", "STREAM.DELETE": "p", "STREAM.PURGE": "p", "STREAM.SNAPSHOT": "p",
		"STREAM.MSG.GET": "xroa", "STREAM.MSG.DELETE": "", "DIRECT.GET": "", "DIRECT.GET/jst.record.sales-out.main.1.7": "", "CONSUMER.NAMES": "", "CONSUMER.LIST": "",
		"CONSUMER.CREATE": "", "CONSUMER.CREATE/x": "xroa", "CONSUMER.CREATE/x.jst.record.>": "xroa", "CONSUMER.CREATE/loader": "", "CONSUMER.CREATE/loader.jst.record.>": "p",
		"CONSUMER.DURABLE.CREATE/x": "", "CONSUMER.DURABLE.CREATE/loader": "",
		"CONSUMER.INFO/x": "xlroa", "CONSUMER.INFO/loader": "pxlroa", "CONSUMER.MSG.NEXT/x": "xlroa", "CONSUMER.MSG.NEXT/loader": "l",
		"CONSUMER.DELETE/x": "xlroa", "CONSUMER.DELETE/loader": "", "CONSUMER.PAUSE/loader": "p", "CONSUMER.PAUSE/x": "", "CONSUMER.UNPIN/loader": "",
	})
	api("JUSHUITAN_DLQ", map[string]string{
		"STREAM.INFO": "pxlroa", "STREAM.CREATE": "p", "STREAM.UPDATE": "p", "STREAM.DELETE": "p", "STREAM.PURGE": "p", "STREAM.MSG.GET": "xlro", "STREAM.MSG.DELETE": "o",
		"CONSUMER.CREATE/x": "o", "CONSUMER.INFO/x": "o", "CONSUMER.MSG.NEXT/x": "o", "CONSUMER.DELETE/x": "o", "DIRECT.GET": "",
	})
	api("JUSHUITAN_AUDIT", map[string]string{
		"STREAM.INFO": "po", "STREAM.CREATE": "p", "STREAM.UPDATE": "p", "STREAM.DELETE": "p", "STREAM.PURGE": "p", "STREAM.MSG.GET": "", "STREAM.MSG.DELETE": "",
		"CONSUMER.CREATE/x": "o", "CONSUMER.INFO/x": "o", "CONSUMER.MSG.NEXT/x": "o", "CONSUMER.DELETE/x": "o", "DIRECT.GET": "",
	})
	api("OBJ_juliu-payloads", map[string]string{
		"STREAM.INFO": "pxlroa", "STREAM.CREATE": "p", "STREAM.UPDATE": "p", "STREAM.DELETE": "p", "STREAM.PURGE": "pxlo", "STREAM.MSG.GET": "xlroa", "STREAM.MSG.DELETE": "",
		"DIRECT.GET/$O.juliu-payloads.M.x": "xlroa", "CONSUMER.CREATE/x": "lroa", "CONSUMER.DELETE/x": "lroa",
	})
	for bucket, who := range map[string][3]string{ // INFO, MSG.GET, consumers
		"KV_juliu-leases": {"pxroa", "xroa", ""}, "KV_juliu-jobs": {"pxlroa", "xlroa", "xlroa"}, "KV_juliu-tokens": {"px", "x", ""}, "OTHER": {"", "", ""},
	} {
		provision := "p"
		if bucket == "OTHER" {
			provision = ""
		}
		api(bucket, map[string]string{
			"STREAM.INFO": who[0], "STREAM.CREATE": provision, "STREAM.UPDATE": provision, "STREAM.DELETE": "", "STREAM.PURGE": "", "STREAM.SNAPSHOT": "", "STREAM.RESTORE": "",
			"STREAM.MSG.GET": who[1], "STREAM.MSG.DELETE": "", "DIRECT.GET": "", "DIRECT.GET/$KV.x": "", "CONSUMER.CREATE": "", "CONSUMER.DURABLE.CREATE/x": "",
			"CONSUMER.CREATE/x": who[2], "CONSUMER.INFO/x": who[2], "CONSUMER.MSG.NEXT/x": who[2], "CONSUMER.DELETE/x": who[2], "CONSUMER.LIST": "",
		})
	}
	return m
}

func TestEachUserMayPublishWhatTheMatrixSaysAndNothingElse(t *testing.T) {
	t.Parallel()
	checkMatrix(t, publishMatrix(), `Publish to "`, func(nc *nats.Conn, subject string) error { return nc.Publish(subject, []byte("{}")) })
}

func TestEachUserMayListenToItsOwnRepliesAndNothingElse(t *testing.T) {
	t.Parallel()
	matrix := map[string]string{}
	for process, letters := range map[string]string{"provision": "p", "extractor": "x", "loader": "l", "juliu": "roa", "other": ""} {
		for _, rest := range []string{">", "*", "x.y"} {
			matrix["_INBOX.juliu."+process+"."+rest] = letters
		}
	}
	for _, subject := range []string{
		">", "*", "jst.>", "jst.record.>", "jst.record.sales-out.main.1.7", "jst.checkpoint.sales-out.main", "jst.dlq.>", "jst.audit.>", "_INBOX.>", "_INBOX.juliu.>", "_INBOX.x",
		"$JS.>", "$JS.API.>", "$JS.ACK.>", "$JS.EVENT.>", "$JS.EVENT.ADVISORY.>", "$KV.>", "$KV.juliu-tokens.main", "$KV.juliu-leases.>", "$O.juliu-payloads.>", "$SYS.>",
	} {
		matrix[subject] = ""
	}
	checkMatrix(t, matrix, `Subscription to "`, func(nc *nats.Conn, subject string) error {
		_, err := nc.SubscribeSync(subject)
		return err
	})
}

// checkMatrix asks a server that holds nothing, where what is allowed does nothing.
func checkMatrix(t *testing.T, matrix map[string]string, says string, do func(*nats.Conn, string) error) {
	t.Helper()
	s := serveDeployed(t)
	subjects := slices.Sorted(maps.Keys(matrix))
	for letter, user := range users() {
		denied := refused(t, s, user, says, do, subjects)
		for _, subject := range subjects {
			if may := strings.Contains(matrix[subject], letter); may == denied[subject] {
				t.Errorf("%s %s: allowed %t, want %t", user, subject, !denied[subject], may)
			}
		}
	}
	t.Logf("%d subjects, %d cells", len(subjects), len(subjects)*len(users()))
}

// A batch in which one message stands where its user has no right leaves nothing behind, whichever of its messages that is.
func TestABatchWithOneForbiddenMessageLeavesNothing(t *testing.T) {
	t.Parallel()
	s := serveDeployed(t)
	conn := connectProcess(t, s, "provision", "provision")
	if _, err := stream.Provision(t.Context(), conn, stream.Limits{}); err != nil {
		t.Fatal(err)
	}
	const row, foreign, checkpoint = "jst.record.sales-out.main.1.7", "jst.record.sales-out.other.1.7", "jst.checkpoint.sales-out.main"
	for _, b := range []struct {
		name, user, process string
		subjects            []string
		forbidden           int
		stored              uint64
	}{
		{"another source's row first", "extractor", "extractor", []string{foreign, row, checkpoint}, 0, 0},
		{"another source's row between", "extractor", "extractor", []string{row, foreign, checkpoint}, 1, 0},
		{"another source's row last", "extractor", "extractor", []string{row, row, foreign}, 2, 0},
		{"another source's checkpoint", "extractor", "extractor", []string{row, row, "jst.checkpoint.sales-out.other"}, 2, 0},
		{"a loader's", "loader", "loader", []string{row, row, checkpoint}, 2, 0},
		{"a reader's", "reader", "juliu", []string{row, row, checkpoint}, 2, 0},
		{"an auditor's", "auditor", "juliu", []string{row, row, checkpoint}, 2, 0},
		{"provision's", "provision", "provision", []string{row, row, checkpoint}, 2, 0},
		{"an operator's with a checkpoint", "operator", "juliu", []string{row + ".requeue", row + ".requeue", checkpoint}, 2, 0},
		{"an operator's with a row", "operator", "juliu", []string{row + ".requeue", row, row + ".requeue"}, 1, 0},
		{"what an operator may", "operator", "juliu", []string{row + ".requeue", row + ".requeue"}, -1, 2},
		{"what an extractor may", "extractor", "extractor", []string{row, row, checkpoint}, -1, 5},
	} {
		publishBatch(t, s, b.user, b.process, b.subjects, b.forbidden)
		is, err := conn.JetStream().Stream(t.Context(), stream.Stream)
		if err != nil {
			t.Fatal(err)
		}
		if last := is.CachedInfo().State.LastSeq; last != b.stored {
			t.Errorf("%s: %d messages were stored, want %d", b.name, last, b.stored)
		}
	}
}

// publishBatch sends an atomic batch as nats-server 2.12 takes it (ADR-50). It waits for the refusal of the forbidden message, and for the
// answer to the last one unless that is it.
func publishBatch(t *testing.T, s *server.Server, user, process string, subjects []string, forbidden int) {
	t.Helper()
	where := url.URL{Scheme: "nats", User: url.UserPassword(user, "password"), Host: s.Addr().String()}
	denied, answered := make(chan struct{}, len(subjects)), make(chan struct{}, len(subjects))
	nc, err := nats.Connect(where.String(), nats.CustomInboxPrefix("_INBOX.juliu."+process), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {
		denied <- struct{}{}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	inbox, last := nc.NewInbox(), len(subjects)-1
	id := inbox[strings.LastIndexByte(inbox, '.')+1:]
	if _, err := nc.Subscribe(inbox, func(*nats.Msg) { answered <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	for i, subject := range subjects {
		m := &nats.Msg{Subject: subject, Data: []byte("x"), Header: nats.Header{"Nats-Batch-Id": {id}, "Nats-Batch-Sequence": {strconv.Itoa(i + 1)}}}
		if i == last {
			m.Header.Set("Nats-Batch-Commit", "1")
			m.Reply = inbox
		}
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.After(10 * time.Second)
	if forbidden >= 0 {
		select {
		case <-denied:
		case <-deadline:
			t.Errorf("%s: message %d of %v is not refused", user, forbidden, subjects)
		}
	}
	if forbidden == last {
		return
	}
	select {
	case <-answered:
	case <-deadline:
		t.Errorf("%s: no answer to the batch %v", user, subjects)
	}
}
