package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// auditSubject is where acts at the dead-letter desk are kept.
const auditSubject = auditPrefix + "dlq"

const (
	// auditChunk is how many letters one act names at most: about 100 bytes each, so that it fits into the smallest message.
	auditChunk = 250
	// maxWho is the longest name in bytes.
	maxWho = 200
)

// What is done with dead letters.
const (
	// ActReveal shows personal data.
	ActReveal = "reveal"
	// ActRequeue gives a record to the loaders again.
	ActRequeue = "requeue"
	// ActSupersede removes a letter because a newer version of its order is stored.
	ActSupersede = "supersede"
	// ActDrop removes a letter for good.
	ActDrop = "drop"
)

// Act is one audit record: who set about to do what with which letters. It is stored before anything is done, so that nothing is done
// without one; of an act that was cut off, part may not have happened. It holds no personal data but of who acts.
type Act struct {
	At      time.Time   `json:"at"`
	Who     string      `json:"who"`
	What    string      `json:"what"`
	Letters []ActLetter `json:"letters"`
}

// ActLetter says which letter it was, after it is gone.
type ActLetter struct {
	ID       uint64 `json:"id"`
	Resource string `json:"resource"`
	Source   string `json:"source"`
	Key      string `json:"order,omitempty"`
	Sequence uint64 `json:"sequence,omitempty"`
	Class    string `json:"class"`
}

// audit stores acts about the letters; nothing for none.
func (c *Conn) audit(ctx context.Context, who, what string, letters []Letter) error {
	for len(letters) > 0 {
		n := min(len(letters), auditChunk)
		act := Act{At: c.now().UTC(), Who: who, What: what, Letters: make([]ActLetter, 0, n)}
		for _, l := range letters[:n] {
			act.Letters = append(act.Letters, ActLetter{l.ID, l.Resource, l.Source, l.Key, l.Sequence, l.Class})
		}
		if err := c.store(ctx, act); err != nil {
			return fmt.Errorf("store an audit record, without which nothing is done: %w", err)
		}
		letters = letters[n:]
	}
	return nil
}

func (c *Conn) store(ctx context.Context, act Act) error {
	act.Who = strings.Join(strings.Fields(act.Who), " ")
	act.Who = strings.ToValidUTF8(act.Who[:min(len(act.Who), maxWho)], "")
	data, err := json.Marshal(act)
	if err != nil {
		return fmt.Errorf("encode the act: %w", err)
	}
	if _, err := c.stream(ctx, AuditStream); err != nil {
		return err
	}
	ctx, done := c.calls.ask(ctx, auditSubject)
	defer done()
	_, err = c.js.PublishMsg(ctx, &nats.Msg{Subject: auditSubject, Data: data}, jetstream.WithExpectStream(AuditStream))
	return c.explain(ctx, "publish to "+auditSubject, err)
}

// Acts hands over the audit records, oldest first. Errors: *TopologyError, *PermissionError, fn's.
func Acts(ctx context.Context, c *Conn, fn func(Act) error) error {
	s, err := c.stream(ctx, AuditStream)
	if err != nil || s.CachedInfo().State.Msgs == 0 {
		return err
	}
	cfg := jetstream.OrderedConsumerConfig{FilterSubjects: []string{auditSubject}}
	return c.Scan(ctx, AuditStream, cfg, s.CachedInfo().State.LastSeq, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		var act Act
		if err := json.Unmarshal(m.Data(), &act); err != nil {
			return false, fmt.Errorf("read audit record %d: %w; a newer juliu may have written it", meta.Sequence.Stream, err)
		}
		return true, fn(act)
	})
}
