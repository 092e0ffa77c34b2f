package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Limits of one row. The vendor's rows nest 3 levels deep and an order of 10,000 lines holds 300,000 values.
const (
	maxDepth  = 64
	maxValues = 1 << 20
)

var (
	errTooDeep = fmt.Errorf("too deeply nested: more than %d levels", maxDepth)
	errTooMany = fmt.Errorf("too large: more than %d values", maxValues)
	errNoRow   = errors.New("not a JSON object")
)

// parse reads one JSON object, in time linear to its length. It forgives what a sloppy writer gets wrong inside a value: raw
// control characters, invalid UTF-8, lone surrogates, unknown escapes, unknown bare words. It never forgives the structure: a
// row that is cut, has something behind it or misses a comma is an error, not half a row. No library
// forgives just that: encoding/json refuses both, gjson walks on over both.
func parse(src string) (tree, error) {
	p := parser{src: src, nodes: make(tree, 0, len(src)/20+1)}
	if p.peek() != '{' {
		return nil, errNoRow
	}
	if err := p.value("", 1); err != nil {
		return nil, err
	}
	if p.peek(); p.pos < len(p.src) {
		return nil, p.malformed()
	}
	return p.nodes, nil
}

type parser struct {
	src   string
	pos   int
	nodes tree
}

// value reads one value that stands at a nesting level, 1 for the row.
func (p *parser) value(name string, level int) error {
	at := len(p.nodes)
	if at == maxValues {
		return errTooMany
	}
	p.nodes = append(p.nodes, node{name: name})
	var err error
	switch p.peek() {
	case '{':
		p.nodes[at].kind = object
		err = p.members('}', level)
	case '[':
		p.nodes[at].kind = array
		err = p.members(']', level)
	case '"':
		p.nodes[at].kind = text
		p.nodes[at].text, err = p.quoted()
	default:
		p.nodes[at].kind, p.nodes[at].text, err = p.bare()
	}
	p.nodes[at].next = len(p.nodes)
	return err
}

// members reads an object or array up to its closing bracket.
func (p *parser) members(closing byte, level int) error {
	if level > maxDepth {
		return errTooDeep
	}
	p.pos++
	if p.skip(closing) {
		return nil
	}
	for {
		name, err := "", error(nil)
		if closing == '}' {
			name, err = p.name()
		}
		if err == nil {
			err = p.value(name, level+1)
		}
		switch {
		case err != nil:
			return err
		case p.skip(closing):
			return nil
		case !p.skip(','):
			return p.malformed()
		}
	}
}

// name reads a member's name and the colon behind it.
func (p *parser) name() (string, error) {
	if p.peek() != '"' {
		return "", p.malformed()
	}
	name, err := p.quoted()
	if err == nil && !p.skip(':') {
		err = p.malformed()
	}
	return name, err
}

// quoted reads a string.
func (p *parser) quoted() (string, error) {
	start := p.pos + 1
	escaped := false
	for i := start; i < len(p.src); i++ {
		switch p.src[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			p.pos = i + 1
			if s := p.src[start:i]; !escaped {
				return s, nil
			}
			return unescape(p.src[start:i]), nil
		}
	}
	p.pos = len(p.src)
	return "", p.malformed()
}

// bare reads a value without quotes.
func (p *parser) bare() (kind, string, error) {
	rest := p.src[p.pos:]
	end := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune(bareRunes, r) })
	if end < 0 {
		end = len(rest)
	}
	s := rest[:end]
	p.pos += end
	switch {
	case s == "":
		return null, "", p.malformed()
	case s == "null":
		return null, "", nil
	case json.Valid([]byte(s)):
		return literal, s, nil
	}
	return word, s, nil
}

// bareRunes are what numbers, true, false, null and words such as NaN or -Infinity consist of.
const bareRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._"

// skip steps over white space and then over c, and reports whether it found c.
func (p *parser) skip(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

// peek steps over white space and returns the byte behind it, 0 at the end.
func (p *parser) peek() byte {
	for ; p.pos < len(p.src); p.pos++ {
		switch c := p.src[p.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (p *parser) malformed() error {
	return fmt.Errorf("not a JSON object: malformed at byte %d of %d", p.pos, len(p.src))
}
