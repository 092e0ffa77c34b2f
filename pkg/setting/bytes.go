package setting

import (
	"math"
	"strconv"
	"strings"
)

// Bytes reads a size: digits and, if wanted, a unit of powers of 1000 (KB, MB, GB, TB) or of 1024 (KiB, MiB, GiB, TiB), in any case.
func (p *Parser) Bytes(name, value string) int64 {
	text := strings.ToLower(strings.TrimSpace(value))
	if text == "" {
		return 0
	}
	digits := strings.TrimRight(text, "kmgtib ")
	n, err := strconv.ParseInt(digits, 10, 64)
	factor := unit(strings.TrimSpace(text[len(digits):]))
	if err != nil || n < 0 || factor == 0 {
		p.Problem(name, "is not a size in bytes", "write digits and, if wanted, a unit, e.g. 1073741824, 500MB or 10GiB")
		return 0
	}
	if n > math.MaxInt64/factor {
		p.Problem(name, "is out of range", "choose less than 8 EiB")
		return 0
	}
	return n * factor
}

// unit is how many bytes a unit in lower case stands for; 0 when it is none.
func unit(name string) int64 {
	if name == "" || name == "b" {
		return 1
	}
	base := int64(1000)
	letter, binary := strings.CutSuffix(name, "ib")
	if binary {
		base = 1024
	} else {
		letter = strings.TrimSuffix(name, "b")
	}
	power := strings.Index("kmgt", letter)
	if len(letter) != 1 || power < 0 {
		return 0
	}
	factor := base
	for range power {
		factor *= base
	}
	return factor
}
