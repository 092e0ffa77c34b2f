package record

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	juliuv1 "juliu/proto/juliu/v1"
)

// payloadOneof is the name of the envelope's oneof that holds the typed row.
const payloadOneof = "payload"

// Envelope is the record as it is stored. It shares Payload, Raw and Surprises with the record: change neither afterwards. The error
// means that the envelope's schema has no field for the payload's type.
func (r Record) Envelope() (*juliuv1.Envelope, error) {
	e := &juliuv1.Envelope{
		Source:      r.Source,
		Resource:    r.Resource,
		Shop:        r.Shop,
		Key:         r.Key,
		Version:     r.Version.TS,
		ModifiedAt:  timestamp(r.Version.Modified),
		FetchedAt:   timestamp(r.FetchedAt),
		ContentHash: r.Hash[:],
		Surprises:   r.Surprises,
		Raw:         r.Raw,
	}
	if r.Payload == nil {
		return nil, fmt.Errorf("put %s record into its envelope: it has no payload", r.Resource)
	}
	payload, m := r.Payload.ProtoReflect(), e.ProtoReflect()
	fields := m.Descriptor().Oneofs().ByName(payloadOneof).Fields()
	for i := range fields.Len() {
		if fields.Get(i).Message().FullName() == payload.Descriptor().FullName() {
			m.Set(fields.Get(i), protoreflect.ValueOfMessage(payload))
			return e, nil
		}
	}
	return nil, fmt.Errorf("put %s record into its envelope: the schema has no place for a %s; add it to the oneof of juliu.v1.Envelope",
		r.Resource, payload.Descriptor().FullName())
}

// FromEnvelope is the record in an envelope, without Sequence and Published. It shares the envelope's payload and bytes. The error
// means that this program cannot read the record, now or later: dead-letter it, and replay it once the program can.
func FromEnvelope(e *juliuv1.Envelope) (Record, error) {
	r := Record{
		Source:    e.GetSource(),
		Resource:  e.GetResource(),
		Shop:      e.GetShop(),
		Key:       e.GetKey(),
		Version:   Version{TS: e.GetVersion(), Modified: timeOf(e.GetModifiedAt())},
		FetchedAt: timeOf(e.GetFetchedAt()),
		Raw:       e.GetRaw(),
		Surprises: e.GetSurprises(),
	}
	m := e.ProtoReflect()
	fd := m.WhichOneof(m.Descriptor().Oneofs().ByName(payloadOneof))
	switch {
	case r.Key == "" || r.Version.IsZero():
		return Record{}, errors.New("read envelope: no key or no version; it was not written by juliu")
	case r.Version.TS < 0, isOutOfRange(e.GetModifiedAt()), isOutOfRange(e.GetFetchedAt()):
		return Record{}, errors.New("read envelope: a version or time out of range; it was not written by juliu")
	case fd == nil:
		return Record{}, errors.New("read envelope: no payload of a known type; a newer extractor wrote it, upgrade this program and replay")
	case len(e.GetContentHash()) != len(r.Hash):
		return Record{}, fmt.Errorf("read envelope: content hash of %d bytes instead of %d", len(e.GetContentHash()), len(r.Hash))
	}
	r.Hash = Hash(e.GetContentHash())
	r.Payload = m.Get(fd).Message().Interface()
	return r, nil
}

// timestamp is absent for the zero time.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// timeOf is the zero time for an absent timestamp.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func isOutOfRange(t *timestamppb.Timestamp) bool { return t != nil && !t.IsValid() }
