package juliu

import (
	"errors"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/setting"
	"juliu/pkg/stream"
	"juliu/services/extractor"
)

// facts is what doctor saw; diagnose judges it without asking anybody.
type facts struct {
	// now is the NATS server's clock where it was seen: what is stored is dated by that, or by machines that agree with it.
	now time.Time
	// up says that a juliu up holds the data folder.
	up   bool
	nats natsFacts
	// asked are the limits that the environment asks for; a nil one is not named there.
	asked askedLimits
	// reading is how the extractor of source reads by this environment; ours says that this environment is an extractor's.
	reading extractor.Config
	ours    bool
	// problems are settings that cannot be used.
	problems []setting.Problem
	erp      erpFacts
	token    tokenFacts
	sink     sinkFacts
	disk     diskFacts
}

// askedLimits are the stream's limits as far as the environment names them.
type askedLimits struct {
	replicas *int
	maxAge   *time.Duration
	maxBytes *int64
}

// natsFacts is what NATS told.
type natsFacts struct {
	// err is why there is no connection.
	err     error
	server  stream.ServerState
	account *stream.AccountState
	// streams are those of juliu's that are there.
	streams []stream.Condition
	// before and snapshot are two looks, half a second apart; consumer is the first one's.
	before, snapshot *stream.Snapshot
	consumer         *stream.ConsumerState
	// oldest is when the oldest record was stored that waits for a loader.
	oldest  time.Time
	sources []stream.SourceState
	// shops are those of which each source has records.
	shops map[string][]string
	// holders are who holds each lease; nil when that was not seen.
	holders map[string]control.Holder
	// jobs are of use where seenJobs says that they were seen.
	jobs     []control.Job
	seenJobs bool
	// ahead is how far this machine's clock is ahead of the server's; nil when not seen.
	ahead *time.Duration

	// differences are what is missing or not as provisioned, denied the rights that were refused, noJetStream that there is none;
	// silent is a question that got no answer for another reason.
	differences []string
	denied      []string
	noJetStream bool
	silent      error
}

// note sorts the error of a question, and reports whether there was an answer.
func (n *natsFacts) note(err error) bool {
	if err == nil {
		return true
	}
	topology, isTopology := errors.AsType[*stream.TopologyError](err)
	right, isRight := errors.AsType[*stream.PermissionError](err)
	switch {
	case errors.Is(err, stream.ErrNoJetStream):
		n.noJetStream = true
	case isTopology:
		n.differences = append(n.differences, topology.Differences...)
	case isRight:
		n.denied = append(n.denied, right.Operation+" "+right.Subject)
	case n.silent == nil:
		n.silent = err
	}
	return false
}

// erpFacts is what the ERP told, or why it was not asked.
type erpFacts struct {
	// signature is why the signatures cannot be right.
	signature error
	// skipped names the reason why the ERP was not called: one of the codes of texts; holder is who holds the lease.
	skipped, holder string
	// err is the call's; nil when it was taken.
	err error
	// ahead is how far this machine's clock is ahead of the ERP's; nil when not seen.
	ahead *time.Duration
	// address is where the ERP was looked for, dateErr why it did not answer there.
	address string
	dateErr error
}

// tokenFacts is the stored token, as far as it can be opened.
type tokenFacts struct {
	// skipped names the reason why it was not looked at.
	skipped string
	sealed  bool
	// expires is zero when unknown; term is how long it was good for when it was given.
	expires time.Time
	term    time.Duration
}

// sinkFacts is the sink that LOADER_* settings name; the name is "" without them. Unread says that they cannot be used.
type sinkFacts struct {
	name     string
	unread   bool
	err      error
	migrated bool
}

// diskFacts is the disk of juliu up's folder; the folder is "" when there is none.
type diskFacts struct {
	folder      string
	free, total uint64
	err         error
}
