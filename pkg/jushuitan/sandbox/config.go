package sandbox

import (
	"errors"
	"fmt"
	"time"

	"juliu/pkg/secret"
)

// Credentials that a Config without its own takes. The first three are the ones that the vendor publishes for its own sandbox
// (openweb.jushuitan.com, docId=110); the vendor publishes no refresh token, so that one is ours.
const (
	DefaultAppKey       = "b0b7d1db226d4216a3d58df9ffa2dde5"
	DefaultAppSecret    = "99c4cef262f34ca882975a7064de0b87" //nolint:gosec // The vendor publishes it for everybody.
	DefaultAccessToken  = "b7e3b1e24e174593af8ca5c397e53dad" //nolint:gosec // The vendor publishes it for everybody.
	DefaultRefreshToken = "2f1f9c6e5a3d4b0c8e7d6a5b4c3d2e1f" //nolint:gosec // Ours, and opens nothing but this simulator.
)

// Rate limits of the real gateway, per access token (codes 199 and 200).
const (
	DefaultRatePerSecond = 5
	DefaultRatePerMinute = 100
)

// Config shapes a Sandbox. Only Now is required; the zero value of every other field is a working default.
type Config struct {
	// Seed decides every datum, move and fault: two sandboxes of one seed, clock and sequence of calls are equal.
	Seed uint64
	// Now is the clock of the simulated ERP. Required; it may be called by several goroutines at once.
	Now func() time.Time

	// Orders is how many orders exist at the start; default 0. Their modified times are spread over History up to now.
	Orders int
	// History is how far back the orders of the start reach; default 24 hours. A millisecond puts them all into one second.
	History time.Duration
	// Shops is how many online shops the merchant has, numbered from 10394533; default 5. Some orders are offline (shop_id 0).
	Shops int
	// OmitBatches is a merchant that uses neither batches nor serial numbers: rows come without batchs and sns.
	OmitBatches bool

	// AppKey and AppSecret are the application's; default DefaultAppKey and DefaultAppSecret. The partner gateway takes them
	// as partnerid and partnerkey.
	AppKey    string
	AppSecret secret.Text
	// AccessToken and RefreshToken are valid from the start; default DefaultAccessToken and DefaultRefreshToken. The partner
	// gateway takes the access token as token.
	AccessToken  secret.Text
	RefreshToken secret.Text
	// TokenTTL is the term of a token from its issue or last refresh; default 30 days.
	TokenTTL time.Duration
	// RefreshLastWeekOnly refuses a refresh while the token has more than seven days left.
	RefreshLastWeekOnly bool
	// RotateTokens gives new values with every refresh, and the old ones are dead at once; default keeps the values.
	RotateTokens bool
	// LoseRefreshes is how many refreshes are carried out without their answer arriving; StaleRefreshes, after those, how many
	// are carried out but answer what was left before, as a cache in between does. All three are of the openapi gateway.
	LoseRefreshes, StaleRefreshes int
	// ISV is a service provider's application, which may not refresh (code 150, the vendor's rule since 2023-08-15).
	ISV bool
	// AllowedIPs is the whitelist of callers, textual addresses without port; empty allows all (else code 110).
	AllowedIPs []string
	// Denied is an application that was not granted the interface: every business call answers code 190.
	Denied bool
	// RatePerSecond and RatePerMinute are the calls a token may make in any second and any minute; 0 is unlimited. The real
	// gateway's are DefaultRatePerSecond and DefaultRatePerMinute. SetRates changes them later.
	RatePerSecond int
	RatePerMinute int

	// Oversize, Edges, InclusiveStart, Empty and HideArchived choose where the vendor's behaviour is unknown.
	Oversize Oversize
	Edges    Edges
	// InclusiveStart answers start_ts with rows of ts >= start_ts; default ts > start_ts.
	InclusiveStart bool
	Empty          EmptyPage
	// HideArchived shows rows of status Archive only to a query with archive=true; default every query sees them.
	HideArchived bool

	// Traffic is what changes by itself; default nothing. SetTraffic changes it later.
	Traffic Traffic
	// Faults is what goes wrong; default nothing. SetFaults changes it later.
	Faults Faults
}

// Oversize is the answer to a page_size above 50, the vendor's documented maximum.
type Oversize int

// The answers to a page_size that is too big.
const (
	// ClampOversize gives 50 rows. The default.
	ClampOversize Oversize = iota
	// RefuseOversize answers an error.
	RefuseOversize
	// HonourOversize gives as many rows as asked.
	HonourOversize
)

// Edges says whether rows that lie exactly on modified_begin or modified_end belong to the window.
type Edges int

// The readings of a window's edges.
const (
	// InclusiveEdges includes both. The default.
	InclusiveEdges Edges = iota
	// HalfOpenEdges includes the begin alone.
	HalfOpenEdges
	// ExclusiveEdges includes neither.
	ExclusiveEdges
)

// EmptyPage is how a page without rows writes datas.
type EmptyPage int

// The forms of a page without rows.
const (
	// EmptyArray writes []. The default.
	EmptyArray EmptyPage = iota
	// EmptyNull writes null.
	EmptyNull
	// EmptyAbsent leaves datas out.
	EmptyAbsent
)

// Traffic is the life of the simulated shop. The zero Traffic is silence.
type Traffic struct {
	// PerSecond is how many changes Run makes a second.
	PerSecond float64
	// NewShare is the share of changes that are new orders, 0 to 1.
	NewShare float64
	// EditShare is the share of changes that edit remark and labels, 0 to 1; the rest moves orders to their next status.
	EditShare float64
	// LateShare is the share of changes that commit late: ts and modified are taken now, the version shows up to LateMax later.
	LateShare float64
	LateMax   time.Duration
	// DriftPerCall is how many rows change right before each page is answered, rows of the queried window where it has any.
	// Drift commits at once.
	DriftPerCall int
}

func (c Config) withDefaults() Config {
	if c.History == 0 {
		c.History = 24 * time.Hour
	}
	if c.Shops == 0 {
		c.Shops = 5
	}
	if c.TokenTTL == 0 {
		c.TokenTTL = 30 * 24 * time.Hour
	}
	if c.AppKey == "" {
		c.AppKey = DefaultAppKey
	}
	if c.AppSecret.IsZero() {
		c.AppSecret = secret.New(DefaultAppSecret)
	}
	if c.AccessToken.IsZero() {
		c.AccessToken = secret.New(DefaultAccessToken)
	}
	if c.RefreshToken.IsZero() {
		c.RefreshToken = secret.New(DefaultRefreshToken)
	}
	return c
}

func (c Config) validate() error {
	var problems []error
	if c.Now == nil {
		problems = append(problems, errors.New("no clock: hand in Now, e.g. time.Now"))
	}
	if c.Orders < 0 || c.Shops < 0 || c.RatePerSecond < 0 || c.RatePerMinute < 0 ||
		c.LoseRefreshes < 0 || c.StaleRefreshes < 0 {
		problems = append(problems, errors.New("count below zero: Orders, Shops, both rates, LoseRefreshes and StaleRefreshes count from 0"))
	}
	if c.History < 0 || c.TokenTTL < 0 {
		problems = append(problems, errors.New("duration below zero: History and TokenTTL count from 0"))
	}
	problems = append(problems, c.Traffic.validate(), c.Faults.validate())
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("configure sandbox: %w", err)
	}
	return nil
}

func (t Traffic) validate() error {
	if t.PerSecond < 0 || t.LateMax < 0 || t.DriftPerCall < 0 {
		return errors.New("value of Traffic below zero: PerSecond, LateMax and DriftPerCall count from 0")
	}
	if !isShare(t.NewShare) || !isShare(t.EditShare) || !isShare(t.LateShare) || t.NewShare+t.EditShare > 1 {
		return errors.New("share of Traffic out of range: each lies between 0 and 1, NewShare and EditShare together too")
	}
	return nil
}

func isShare(f float64) bool { return f >= 0 && f <= 1 }
