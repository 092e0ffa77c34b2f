package record

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// mask stands in the place of a text that must not be shown.
const mask = "***"

// Masked is the record with a payload whose personal data is masked: each field that the schema marks with debug_redact, at any depth.
// Raw is empty, since nobody knows what stands there. The payload is a copy.
func (r Record) Masked() Record {
	r.Raw = nil
	if r.Payload != nil {
		r.Payload = proto.Clone(r.Payload)
		redact(r.Payload.ProtoReflect())
	}
	return r
}

func redact(m protoreflect.Message) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case isPersonal(fd) && fd.Kind() == protoreflect.StringKind && !fd.IsList():
			m.Set(fd, protoreflect.ValueOfString(mask))
		case isPersonal(fd):
			m.Clear(fd)
		case fd.Message() != nil && fd.IsList():
			for i := range v.List().Len() {
				redact(v.List().Get(i).Message())
			}
		case fd.Message() != nil:
			redact(v.Message())
		}
		return true
	})
}

func isPersonal(fd protoreflect.FieldDescriptor) bool {
	options, ok := fd.Options().(*descriptorpb.FieldOptions)
	return ok && options.GetDebugRedact()
}
