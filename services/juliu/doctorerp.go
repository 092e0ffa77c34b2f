package juliu

import (
	"context"
	"errors"
	"net/http"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan"
	"juliu/pkg/stream"
	"juliu/services/extractor"
)

// erpTime bounds one question to the ERP.
const erpTime = 4 * time.Second

// askDate reads the Date of the ERP's web server, without credentials, so that it takes no quota.
func (c checkup) askDate(ctx context.Context, base string) erpFacts {
	e := erpFacts{signature: jushuitan.SelfTest(), address: base}
	if base == "" {
		return e
	}
	ctx, cancel := context.WithTimeout(ctx, erpTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, base, http.NoBody)
	if err != nil {
		e.dateErr = err
		return e
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	before := c.app.Now()
	answer, err := client.Do(request)
	if err != nil {
		e.dateErr = errors.Unwrap(err) // the URL is told beside it
		return e
	}
	_ = answer.Body.Close()
	if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		e.setAhead(before, c.app.Now(), date)
	}
	return e
}

// setAhead compares our clock with a Date, which has whole seconds.
func (e *erpFacts) setAhead(before, after, date time.Time) {
	ahead := before.Add(after.Sub(before) / 2).Sub(date.Add(time.Second / 2))
	e.ahead = &ahead
}

// callERP asks the ERP for a row, if nobody else may be asking it: only who holds the lease calls the ERP.
func (c checkup) callERP(ctx context.Context, conn *stream.Conn, f *facts) {
	e := &f.erp
	if e.skipped, e.holder = c.mayCall(ctx, conn, *f); e.skipped != "" {
		return
	}
	cfg := f.reading.ERP
	cfg.Timeout = erpTime
	client, err := jushuitan.New(cfg)
	if err != nil {
		e.err = err
		return
	}
	e.err = c.query(ctx, client, f.reading.Filter, e)
	if kind, ok := errors.AsType[*jushuitan.Error](e.err); !ok || kind.Kind != jushuitan.TokenExpired {
		return
	}
	// The environment's token may have been replaced: the extractor uses the stored one.
	tokens, err := control.OpenTokens(ctx, conn, cfg.AppSecret)
	if err != nil {
		return
	}
	if stored, _, err := tokens.Load(ctx, f.reading.Source); err == nil && !stored.Access.IsZero() && stored.Access != cfg.AccessToken {
		client.Adopt(jushuitan.Token{Access: stored.Access})
		e.err = c.query(ctx, client, f.reading.Filter, e)
	}
}

// mayCall names the reason not to call the ERP, and who holds the lease; "" when it may be called.
func (c checkup) mayCall(ctx context.Context, conn *stream.Conn, f facts) (string, string) {
	switch {
	case !f.ours:
		return "erp-no-credentials", ""
	case f.reading.ERP.AppKey == "" || f.reading.ERP.AppSecret.IsZero() || f.reading.ERP.AccessToken.IsZero():
		return "erp-bad-settings", ""
	case f.up:
		return "erp-up", ""
	case conn == nil || f.nats.holders == nil:
		return "erp-no-lease-seen", ""
	}
	leases, err := control.OpenLeases(ctx, conn, silence())
	if err != nil {
		return "erp-no-lease-seen", ""
	}
	holder, held, err := leases.Current(ctx, f.reading.Source)
	switch {
	case err != nil:
		return "erp-no-lease-seen", ""
	case held:
		return "erp-held", holder.Name
	default:
		return "", ""
	}
}

// query asks for one row of the last minute.
func (c checkup) query(ctx context.Context, client *jushuitan.Client, f extractor.Filter, e *erpFacts) error {
	ctx, cancel := context.WithTimeout(ctx, erpTime)
	defer cancel()
	before := c.app.Now()
	page, err := client.Query(ctx, jushuitan.SalesOut(), jushuitan.SalesOutQuery{
		Begin: jushuitan.At(before.Add(-time.Minute)), End: jushuitan.At(before), PageIndex: 1, PageSize: 1,
		ShopID: f.ShopID, IsOfflineShop: f.OfflineShops,
	})
	if err == nil && e.ahead == nil && !page.ServerTime.IsZero() {
		e.setAhead(before, c.app.Now(), page.ServerTime)
	}
	return err
}
