package record_test

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"juliu/pkg/record"
)

// A field of a type that the decoder does not know would stay unset in every row.
func TestEveryFieldOfASchemaCanBeDecoded(t *testing.T) {
	t.Parallel()
	s := record.SalesOut()
	fields := s.New().ProtoReflect().Descriptor().Fields()
	for name, kind := range map[string]protoreflect.Kind{
		s.Key: protoreflect.Int64Kind, s.Shop: protoreflect.Int64Kind, s.TS: protoreflect.Int64Kind, s.Modified: protoreflect.MessageKind,
	} {
		if fd := fields.ByName(protoreflect.Name(name)); fd == nil || fd.Kind() != kind {
			t.Errorf("%s is not a field of kind %v", name, kind)
		}
	}
	checkKinds(t, s.New().ProtoReflect().Descriptor())
}

func checkKinds(t *testing.T, md protoreflect.MessageDescriptor) {
	t.Helper()
	for i := range md.Fields().Len() {
		switch fd := md.Fields().Get(i); fd.Kind() {
		case protoreflect.StringKind, protoreflect.Int64Kind, protoreflect.BoolKind:
			if !fd.HasPresence() && !fd.IsList() {
				t.Errorf("%s cannot tell unset from empty", fd.FullName())
			}
		case protoreflect.MessageKind:
			if fd.IsMap() {
				t.Errorf("%s is a map", fd.FullName())
			}
			if fd.Message().FullName() != "google.protobuf.Timestamp" {
				checkKinds(t, fd.Message())
			}
		default:
			t.Errorf("%s is a %v", fd.FullName(), fd.Kind())
		}
	}
}
