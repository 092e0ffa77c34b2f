package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// params reads the business parameters of a call as loosely as the vendor: numbers and booleans also as text; null, "" and [] are
// absent. The first value that cannot be converted is remembered in bad.
type params struct {
	values map[string]json.RawMessage
	bad    string
}

func (p *params) refuse(name string) {
	if p.bad == "" {
		p.bad = name
	}
}

// scalar is a value as text: a string's content, or a number's or boolean's literal; "" when absent.
func (p *params) scalar(name string) string {
	text, ok := scalarText(p.values[name])
	if !ok {
		p.refuse(name)
	}
	return text
}

func scalarText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", true
	}
	switch raw[0] {
	case '"':
		var text string
		err := json.Unmarshal(raw, &text)
		return strings.TrimSpace(text), err == nil
	case '{', '[':
		return "", false
	default:
		return string(raw), true
	}
}

// integer is fallback when the value is absent.
func (p *params) integer(name string, fallback int64) int64 {
	text := p.scalar(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.refuse(name)
	}
	return n
}

func (p *params) boolean(name string, fallback bool) bool {
	text := p.scalar(name)
	if text == "" {
		return fallback
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		p.refuse(name)
	}
	return b
}

// time reads yyyy-MM-dd HH:mm:ss in Chinese time; zero when absent.
func (p *params) time(name string) time.Time {
	text := p.scalar(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(layout, text, china())
	if err != nil {
		p.refuse(name)
	}
	return t
}

func (p *params) texts(name string) []string {
	raw := p.values[name]
	if len(raw) == 0 || string(raw) == "null" || string(raw) == `""` {
		return nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		p.refuse(name)
		return nil
	}
	texts := make([]string, 0, len(elements))
	for _, element := range elements {
		text, ok := scalarText(element)
		if !ok {
			p.refuse(name)
		}
		texts = append(texts, text)
	}
	return texts
}

func (p *params) integers(name string) []int64 {
	texts := p.texts(name)
	numbers := make([]int64, 0, len(texts))
	for _, text := range texts {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			p.refuse(name)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// fields reads a list of names that must all be known.
func (p *params) fields(name string, known ...string) map[string]bool {
	asked := map[string]bool{}
	for _, field := range p.texts(name) {
		found := false
		for _, k := range known {
			found = found || k == field
		}
		if !found {
			p.refuse(name)
		}
		asked[field] = true
	}
	return asked
}
