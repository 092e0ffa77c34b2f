package record

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxSurprises bounds the list of surprises of one row.
const maxSurprises = 32

// decoder fills a message from a tree by the message's descriptor: a member goes to the field that has exactly its name. Fields
// are string, int64, bool, Timestamp, a message of these, or a list of one of these; a field of another kind stays unset.
type decoder struct {
	tree      tree
	path      []byte // of the field at hand, e.g. "items[2].qty"
	surprises []string
}

// message fills m from the object at an index. Members that m does not know are left to the raw bytes.
func (d *decoder) message(m protoreflect.Message, at int) {
	fields := m.Descriptor().Fields()
	seen := make([]bool, fields.Len())
	mark := len(d.path)
	for i := range d.tree.children(at) {
		fd := fields.ByName(protoreflect.Name(d.tree[i].name))
		if fd == nil {
			continue
		}
		if mark > 0 {
			d.path = append(d.path, '.')
		}
		d.path = append(d.path, fd.Name()...)
		if seen[fd.Index()] { // the last one wins
			m.Clear(fd)
			d.surprise()
		}
		seen[fd.Index()] = true
		d.field(m, fd, i)
		d.path = d.path[:mark]
	}
}

func (d *decoder) field(m protoreflect.Message, fd protoreflect.FieldDescriptor, at int) {
	switch {
	case d.tree[at].blank():
	case fd.IsList():
		d.list(m.Mutable(fd).List(), fd, at)
	default:
		if v := d.value(fd, func() protoreflect.Value { return m.NewField(fd) }, at); v.IsValid() {
			m.Set(fd, v)
		}
	}
}

// list fills a list from an array, or from a lone value that stands in an array's place; {} there is an empty array.
func (d *decoder) list(list protoreflect.List, fd protoreflect.FieldDescriptor, at int) {
	n := d.tree[at]
	if n.kind != array {
		if n.kind != object || n.next > at+1 {
			d.element(list, fd, at)
		}
		return
	}
	mark, index := len(d.path), int64(0)
	for i := range d.tree.children(at) {
		d.path = strconv.AppendInt(append(d.path, '['), index, 10)
		d.path = append(d.path, ']')
		d.element(list, fd, i)
		d.path = d.path[:mark]
		index++
	}
}

func (d *decoder) element(list protoreflect.List, fd protoreflect.FieldDescriptor, at int) {
	if d.tree[at].blank() {
		return
	}
	if v := d.value(fd, list.NewElement, at); v.IsValid() {
		list.Append(v)
	}
}

// value is one value of a field's type; not valid when there is none or it does not fit. blank makes an empty one.
func (d *decoder) value(fd protoreflect.FieldDescriptor, blank func() protoreflect.Value, at int) protoreflect.Value {
	n := d.tree[at]
	if n.kind == object && fd.Message() != nil && !isTimestamp(fd) {
		v := blank()
		d.message(v.Message(), at)
		return v
	}
	if n.kind != text && n.kind != literal {
		return d.surprise()
	}
	if fd.Kind() == protoreflect.StringKind {
		return d.text(n.text)
	}
	s := strings.TrimSpace(n.text)
	if s == "" {
		return protoreflect.Value{}
	}
	return d.scalar(fd, s)
}

// text is a string field's value: what the row says, a number digit for digit.
func (d *decoder) text(s string) protoreflect.Value {
	if !utf8.ValidString(s) {
		d.surprise()
		s = strings.ToValidUTF8(s, string(utf8.RuneError))
	}
	return protoreflect.ValueOfString(s)
}

func (d *decoder) scalar(fd protoreflect.FieldDescriptor, s string) protoreflect.Value {
	switch {
	case fd.Kind() == protoreflect.Int64Kind:
		if n, ok := integer(s); ok {
			return protoreflect.ValueOfInt64(n)
		}
	case fd.Kind() == protoreflect.BoolKind:
		if b, ok := boolean(s); ok {
			return protoreflect.ValueOfBool(b)
		}
	case isTimestamp(fd):
		if t, ok := instant(s); ok && t.IsZero() {
			return protoreflect.Value{}
		} else if ok {
			return protoreflect.ValueOfMessage(timestamppb.New(t).ProtoReflect())
		}
	}
	return d.surprise()
}

// surprise notes the field at hand, once, and returns the value of a field that stays unset.
func (d *decoder) surprise() protoreflect.Value {
	if len(d.surprises) < maxSurprises && !slices.Contains(d.surprises, string(d.path)) {
		d.surprises = append(d.surprises, string(d.path))
	}
	return protoreflect.Value{}
}

func isTimestamp(fd protoreflect.FieldDescriptor) bool {
	return fd.Message() != nil && fd.Message().FullName() == proto.MessageName((*timestamppb.Timestamp)(nil))
}
