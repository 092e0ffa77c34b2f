package sandbox

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// china is the fixed +08:00 of all the vendor's times; a zone by name would know summer times of the past.
func china() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

const layout = "2006-01-02 15:04:05"

// encoder writes JSON by hand, because rows must read the same byte for byte and may have to be wrong on purpose.
type encoder struct {
	buf   []byte
	flaws quirk
	zone  *time.Location
}

// open begins an object or array, close ends it; a comma behind the last member is taken back.
func (e *encoder) open(bracket byte) { e.buf = append(e.buf, bracket) }

func (e *encoder) close(bracket byte) {
	if last := len(e.buf) - 1; e.buf[last] == ',' {
		e.buf = e.buf[:last]
	}
	e.buf = append(e.buf, bracket, ',')
}

// bytes is the document, without the comma behind it.
func (e *encoder) bytes() []byte { return bytes.TrimSuffix(e.buf, []byte(",")) }

func (e *encoder) key(name string) {
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '"', ':')
}

func (e *encoder) null(name string) {
	e.key(name)
	e.buf = append(e.buf, "null,"...)
}

// integer writes a number, quoted when the row has the flaw.
func (e *encoder) integer(name string, n int64) {
	e.key(name)
	e.quote()
	e.buf = strconv.AppendInt(e.buf, n, 10)
	e.quote()
	e.buf = append(e.buf, ',')
}

func (e *encoder) quote() {
	if e.flaws.has(quirkNumbersAsText) {
		e.buf = append(e.buf, '"')
	}
}

// integerOrNull writes null for 0.
func (e *encoder) integerOrNull(name string, n int64) {
	if n == 0 {
		e.null(name)
		return
	}
	e.integer(name, n)
}

// thousandths writes a number that is not negative, with one to three decimals like the vendor's: 706.0, 3.95, 1.085.
func (e *encoder) thousandths(name string, n int64) {
	e.key(name)
	e.quote()
	e.buf = strconv.AppendInt(e.buf, n/1000, 10)
	whole := len(e.buf)
	e.buf = strconv.AppendInt(e.buf, 1000+n%1000, 10)
	e.buf[whole] = '.' // In place of the 1 that kept the zeros.
	for last := len(e.buf) - 1; last > whole+1 && e.buf[last] == '0'; last-- {
		e.buf = e.buf[:last]
	}
	e.quote()
	e.buf = append(e.buf, ',')
}

// money writes an amount in cents; nothing of it passes through floating point.
func (e *encoder) money(name string, cents int64) { e.thousandths(name, cents*10) }

// text writes a string, bare when it looks like a number and the row has the flaw.
func (e *encoder) text(name, value string) {
	e.key(name)
	if e.flaws.has(quirkTextAsNumbers) && isNumber(value) {
		e.buf = append(e.buf, value...)
	} else {
		e.buf = appendQuoted(e.buf, value)
	}
	e.buf = append(e.buf, ',')
}

// textOrNull writes null for "".
func (e *encoder) textOrNull(name, value string) {
	if value == "" {
		e.null(name)
		return
	}
	e.text(name, value)
}

func (e *encoder) boolean(name string, value bool) {
	e.key(name)
	e.buf = strconv.AppendBool(e.buf, value)
	e.buf = append(e.buf, ',')
}

// raw writes a string whose bytes are not checked.
func (e *encoder) raw(name, value string) {
	e.key(name)
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, value...)
	e.buf = append(e.buf, '"', ',')
}

// seconds writes a time in Chinese time; 0 is a date without value.
func (e *encoder) seconds(name string, unix int64) {
	if unix == 0 {
		e.noDate(name)
		return
	}
	e.date(name, time.Unix(unix, 0), layout)
}

func (e *encoder) milliseconds(name string, unix int64) {
	if e.flaws.has(quirkMilliseconds) || unix%1000 != 0 {
		e.date(name, time.UnixMilli(unix), layout+".000")
		return
	}
	e.date(name, time.UnixMilli(unix), layout)
}

func (e *encoder) date(name string, t time.Time, form string) {
	e.key(name)
	e.buf = append(e.buf, '"')
	e.buf = t.In(e.zone).AppendFormat(e.buf, form)
	e.buf = append(e.buf, '"', ',')
}

// noDate writes null, or with the flaw one of the forms of a date without value, chosen by the name.
func (e *encoder) noDate(name string) {
	if !e.flaws.has(quirkZeroDates) {
		e.null(name)
		return
	}
	forms := [...]string{"0001-01-01 00:00:00", "0001-01-01", "0001-01-01 08:00:00", ""}
	e.raw(name, forms[len(name)%len(forms)])
}

func isNumber(s string) bool {
	if s == "" || s[0] == '0' {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// appendQuoted appends a JSON string. HTML is not escaped: the vendor's gateway does not either.
func appendQuoted(buf []byte, s string) []byte {
	if strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) < 0 {
		buf = append(buf, '"')
		buf = append(buf, s...)
		return append(buf, '"')
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil { // A string always encodes.
		return append(buf, `""`...)
	}
	return append(buf, strings.TrimSuffix(out.String(), "\n")...)
}
