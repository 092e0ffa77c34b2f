package jushuitan

import (
	"bytes"
	"encoding/json"
	"errors"
)

var (
	errCut     = errors.New("the document ends early")
	errNotJSON = errors.New("the document is not a JSON object")
)

// scanner finds where JSON values begin and end. It is strict about the brackets, commas and quotes that tell rows apart, so that a cut
// answer is never taken for a shorter one, and looks at nothing else, so that a bad byte inside a row cannot fail the row's page.
// encoding/json refuses the page in the second case; lenient parsers accept it in the first.
type scanner struct {
	doc []byte
	pos int
}

// object is the members of the JSON object that doc is, none if it is not a whole one; of a key given twice the last counts.
func object(doc []byte) (map[string][]byte, error) {
	s := scanner{doc: doc}
	members := make(map[string][]byte)
	err := s.list('{', '}', func() error {
		key, err := s.value()
		if err != nil {
			return err
		}
		if key[0] != '"' {
			return errNotJSON
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		member, err := s.value()
		members[scalar(key)] = member
		return err
	})
	if err != nil {
		return nil, err
	}
	return members, nil
}

// elements is the values of the JSON array that doc is.
func elements(doc []byte) ([][]byte, error) {
	s := scanner{doc: doc}
	var values [][]byte
	err := s.list('[', ']', func() error {
		value, err := s.value()
		values = append(values, value)
		return err
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// list walks comma-separated items between two brackets, after which the document must end.
func (s *scanner) list(first, last byte, item func() error) error {
	if err := s.expect(first); err != nil {
		return err
	}
	for begun := false; ; begun = true {
		c, err := s.peek()
		if err != nil {
			return err
		}
		if c == last && !begun {
			break
		}
		if err := item(); err != nil {
			return err
		}
		if c, err = s.peek(); err != nil {
			return err
		}
		if c == last {
			break
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
	s.pos++
	if _, err := s.peek(); err == nil {
		return errNotJSON
	}
	return nil
}

// value is the next value, whatever it is, as a part of the document.
func (s *scanner) value() ([]byte, error) {
	c, err := s.peek()
	if err != nil {
		return nil, err
	}
	start := s.pos
	switch c {
	case '"':
		err = s.text()
	case '{', '[':
		err = s.nested()
	default:
		end := bytes.IndexAny(s.doc[start:], "{}[],:\" \t\r\n")
		switch end {
		case -1:
			err = errCut
		case 0:
			err = errNotJSON
		default:
			s.pos += end
		}
	}
	if err != nil {
		return nil, err
	}
	return s.doc[start:s.pos], nil
}

// nested skips an object or an array: every bracket outside strings must be closed by its like.
func (s *scanner) nested() error {
	var open []byte
	for s.pos < len(s.doc) {
		c := s.doc[s.pos]
		switch c {
		case '"':
			if err := s.text(); err != nil {
				return err
			}
			continue
		case '{', '[':
			open = append(open, c+2) // the closing bracket stands two places behind in ASCII
		case '}', ']':
			if c != open[len(open)-1] {
				return errNotJSON
			}
			open = open[:len(open)-1]
		}
		s.pos++
		if len(open) == 0 {
			return nil
		}
	}
	return errCut
}

// text skips a string; only the quote and the backslash mean something in it.
func (s *scanner) text() error {
	for s.pos++; s.pos < len(s.doc); s.pos++ {
		switch s.doc[s.pos] {
		case '\\':
			s.pos++
		case '"':
			s.pos++
			return nil
		}
	}
	s.pos = len(s.doc)
	return errCut
}

// peek is the next byte that is not a blank.
func (s *scanner) peek() (byte, error) {
	for ; s.pos < len(s.doc); s.pos++ {
		switch c := s.doc[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c, nil
		}
	}
	return 0, errCut
}

func (s *scanner) expect(want byte) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != want {
		return errNotJSON
	}
	s.pos++
	return nil
}

// scalar is the text of a string, number or boolean; everything else is "". A string that breaks JSON's rules is taken as it is.
func scalar(raw []byte) string {
	switch {
	case len(raw) == 0, raw[0] == '{', raw[0] == '[', string(raw) == "null":
		return ""
	case raw[0] != '"':
		return string(raw)
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return string(raw[1 : len(raw)-1])
	}
	return text
}
