package sandbox

import (
	"strconv"
	"time"
)

// dialect is how the two gateways differ.
type dialect struct {
	flat                         bool // envelope without data
	tolerance                    time.Duration
	missing, clock, sign, broken int // codes of checks 1, 2, 3 and 9
}

// openapi is the gateway at openapi.jushuitan.com.
func openapi() dialect {
	return dialect{tolerance: 15 * time.Minute, missing: codeMissing, clock: codeSpecification, sign: codeSign, broken: codeParameter}
}

// partner is the old gateway at open.erp321.com.
func partner() dialect {
	return dialect{
		flat: true, tolerance: 10 * time.Minute,
		missing: codeParameter, clock: codePartnerTimestamp, sign: codePartnerSign, broken: codeSpecification,
	}
}

func (d dialect) failure(r refusal) []byte {
	e := encoder{}
	e.open('{')
	e.integer("code", int64(r.code))
	if d.flat {
		e.boolean("issuccess", false)
	}
	e.text("msg", r.text)
	if !d.flat {
		e.null("data")
	}
	e.close('}')
	return e.bytes()
}

// success writes a page; the fault may falsify has_next.
func (s *Sandbox) success(d dialect, a answer, x extras, struck fault) []byte {
	e := encoder{buf: make([]byte, 0, 512+3072*len(a.rows))}
	e.open('{')
	e.integer("code", 0)
	if d.flat {
		e.boolean("issuccess", true)
	}
	e.text("msg", textSuccess)
	if !d.flat {
		e.key("data")
		e.open('{')
	}
	e.integer("page_index", a.index)
	e.integer("page_size", a.size)
	if a.total >= 0 {
		e.integer("data_count", a.total)
		e.integer("page_count", a.pages())
	}
	switch struck {
	case noHasNext:
	case textHasNext:
		e.text("has_next", strconv.FormatBool(a.hasNext))
	case wrongHasNext:
		e.boolean("has_next", !a.hasNext)
	default:
		e.boolean("has_next", a.hasNext)
	}
	s.datas(&e, a, x)
	if !d.flat {
		e.close('}')
	}
	e.close('}')
	return e.bytes()
}

func (s *Sandbox) datas(e *encoder, a answer, x extras) {
	if len(a.rows) == 0 && s.cfg.Empty != EmptyArray {
		if s.cfg.Empty == EmptyNull {
			e.null("datas")
		}
		return
	}
	e.key("datas")
	e.open('[')
	for _, f := range a.rows {
		e.buf = s.catalogue.row(e.buf, f.id, f.created, f.version, x)
	}
	e.close(']')
}
