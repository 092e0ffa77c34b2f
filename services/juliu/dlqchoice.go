package juliu

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"juliu/pkg/stream"
)

// choice is which letters are meant.
type choice struct {
	class, reason, source, resource, shop, order, group string
	since                                               time.Duration
	limit                                               int
}

func (c *choice) flags(flags *pflag.FlagSet, withLimit bool) {
	flags.StringVar(&c.class, "class", "", "only this `class`: rejected, exhausted, undecodable, no-identity or unsettled")
	flags.StringVar(&c.reason, "reason", "", "only reasons that hold this `text`")
	flags.StringVar(&c.source, "source", "", "only this `source`")
	flags.StringVar(&c.resource, "resource", "", "only this `resource`, e.g. sales-out")
	flags.StringVar(&c.shop, "shop", "", "only this `shop_id`")
	flags.StringVar(&c.order, "order", "", "only this order (`io_id`)")
	flags.DurationVar(&c.since, "since", 0, "only what was given up this long ago or later, e.g. 24h")
	if withLimit {
		flags.IntVar(&c.limit, "limit", 0, "at most `n` letters")
	}
}

// empty tells that nothing was asked for.
func (c *choice) empty() bool { return *c == choice{limit: c.limit} }

// of chooses among letters, in their order.
func (c *choice) of(letters []stream.Letter, now time.Time) []stream.Letter {
	is := func(want, have string) bool { return want == "" || want == have }
	return slices.DeleteFunc(slices.Clone(letters), func(l stream.Letter) bool {
		return !is(c.class, l.Class) || !is(c.source, l.Source) || !is(c.resource, l.Resource) || !is(c.shop, l.Shop) || !is(c.order, l.Key) ||
			!is(c.group, groupOf(l)) || !strings.Contains(l.Reason, c.reason) || c.since > 0 && l.Kept.Before(now.Add(-c.since))
	})
}

// cause is a letter's reason without what is another in each letter of one cause: long numbers (ports, positions) and names (ids of
// events). An SQLSTATE stays.
func cause(l stream.Letter) string {
	reason := regexp.MustCompile(`\b[A-Za-z]+_[0-9a-z]{20,}\b`).ReplaceAllString(l.Reason, "…")
	return regexp.MustCompile(`(SQLSTATE )?\d{4,}`).ReplaceAllStringFunc(reason, func(number string) string {
		if strings.HasPrefix(number, "SQLSTATE") {
			return number
		}
		return "…"
	})
}

// groupOf names the group of a letter: eight hex digits that stay the same as long as class and cause do.
func groupOf(l stream.Letter) string {
	sum := sha256.Sum256([]byte(l.Class + "\x00" + cause(l)))
	return hex.EncodeToString(sum[:4])
}
