package postgres

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// Limits of a numeric (documentation of PostgreSQL, "Numeric Types").
const (
	maxWholeDigits    = 131072
	maxFractionDigits = 16383
)

// decimal reads a decimal number digit for digit, 706.0 with its zero, 1e3 too. The second result is false for anything else and for
// what a numeric cannot hold.
func decimal(s string) (pgtype.Numeric, bool) {
	none := pgtype.Numeric{}
	mantissa, power, hasPower := strings.Cut(strings.ReplaceAll(s, "E", "e"), "e")
	exponent := 0
	if hasPower {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil {
			return none, false
		}
	}
	sign, digits := "", mantissa
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if whole == "" || hasPoint && fraction == "" || !areDigits(whole) || !areDigits(fraction) {
		return none, false
	}
	const most = maxWholeDigits + maxFractionDigits
	if exponent > most || exponent < -most || len(whole)+exponent > maxWholeDigits || len(fraction)-exponent > maxFractionDigits || len(digits) > most {
		return none, false
	}
	return number(sign+whole+fraction, exponent-len(fraction))
}

// number is digits times a power of ten.
func number(digits string, power int) (pgtype.Numeric, bool) {
	n := pgtype.Numeric{Exp: int32(power), Valid: true} //nolint:gosec // within the limits of a numeric
	if small, err := strconv.ParseInt(digits, 10, 64); err == nil {
		n.Int = big.NewInt(small)
		return n, true
	}
	var ok bool
	n.Int, ok = new(big.Int).SetString(digits, 10)
	return n, ok
}

func areDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
