package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	juliuv1 "juliu/proto/juliu/v1"
)

// The wire contract, written down a second time on purpose: a checker that took these names from the product would not see them change.
const (
	recordPrefix     = "jst.record."
	checkpointPrefix = "jst.checkpoint."
	copySuffix       = ".requeue"
	recordTokens     = 6

	headerKey      = "Jst-Key"
	headerVersion  = "Jst-Version"
	headerEncoding = "Jst-Encoding"
	headerOrigin   = "Jst-Origin-Sequence"
)

// Message is one message as the server holds it.
type Message struct {
	Sequence uint64              `json:"sequence"`
	Subject  string              `json:"subject"`
	Stored   time.Time           `json:"stored"`
	Header   map[string][]string `json:"header,omitempty"`
	Body     []byte              `json:"body,omitempty"`
}

func (m Message) header(name string) string {
	if values := m.Header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// reader decodes messages.
type reader struct{ zstd *zstd.Decoder }

func newReader() (reader, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return reader{}, fmt.Errorf("prepare zstd: %w", err)
	}
	return reader{d}, nil
}

// record reads a record; what is wrong with it stands in Broken.
func (r reader) record(m Message) Record {
	rec := Record{Sequence: m.Sequence, Stored: m.Stored, Key: m.header(headerKey), Copy: strings.HasSuffix(m.Subject, copySuffix)}
	envelope, err := r.envelope(m)
	if err != nil {
		rec.Broken = err.Error()
		return rec
	}
	digest := sha256.Sum256(envelope.GetRaw())
	rec.TS, rec.SHA256 = envelope.GetVersion(), hex.EncodeToString(digest[:])
	tokens := strings.Split(strings.TrimSuffix(m.Subject, copySuffix), ".")
	switch {
	case envelope.GetKey() != rec.Key:
		rec.Broken = "the header names another order than the envelope"
	case m.header(headerVersion) != strconv.FormatInt(rec.TS, 10):
		rec.Broken = "the header names another version than the envelope"
	case len(tokens) != recordTokens || tokens[2] != envelope.GetResource() || tokens[3] != envelope.GetSource() || tokens[4] != envelope.GetShop():
		rec.Broken = "the subject names another place than the envelope"
	}
	return rec
}

func (r reader) envelope(m Message) (*juliuv1.Envelope, error) {
	body := m.Body
	if m.header(headerEncoding) == "zstd" {
		var err error
		if body, err = r.zstd.DecodeAll(body, nil); err != nil {
			return nil, fmt.Errorf("the body is not zstd: %w", err)
		}
	}
	envelope := &juliuv1.Envelope{}
	if err := proto.Unmarshal(body, envelope); err != nil {
		return nil, errors.New("the body is no envelope")
	}
	return envelope, nil
}

// ReadCheckpoint reads the body of a checkpoint.
func ReadCheckpoint(m Message) (Checkpoint, error) {
	c := &juliuv1.Checkpoint{}
	if err := proto.Unmarshal(m.Body, c); err != nil {
		return Checkpoint{}, fmt.Errorf("read the checkpoint at sequence %d: %w", m.Sequence, err)
	}
	return Checkpoint{
		Sequence: m.Sequence, Run: c.GetRunId(), Commit: c.GetCommit(), Records: uint64(c.GetRecords()), Total: c.GetTotal(),
		Start: instant(c.GetStart()), Begin: instant(c.GetWindowBegin()), End: instant(c.GetWindowEnd()), Cursor: instant(c.GetCursor()),
		SentAt: instant(c.GetCommittedAt()), SweptAt: instant(c.GetSweptAt()),
	}, nil
}

func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// letter reads a dead letter; one of a row that never was a record has sequence 0.
func letter(m Message) Letter {
	sequence, _ := strconv.ParseUint(m.header(headerOrigin), 10, 64)
	return Letter{ID: m.Sequence, Sequence: sequence, Stored: m.Stored}
}
