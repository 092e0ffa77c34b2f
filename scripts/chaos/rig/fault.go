package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	"juliu/pkg/chaos"
)

// strike carries a fault out on a victim and returns how to undo it.
func (f *fleet) strike(ctx context.Context, kind, victim string) (func() error, error) {
	verb, _, _ := strings.Cut(kind, " ")
	if l := f.links[victim]; l != nil {
		return f.disturb(l, kind)
	}
	switch {
	case victim == target && f.o.Sink == chaos.Postgres:
		return f.strikeDatabase(ctx, verb)
	case kind == "poison":
		return f.toggle(ctx, target, "/rig/poison/on", "/rig/poison/off")
	case kind == "errors of erp":
		return f.toggle(ctx, vendor, "/rig/errors/30", "/rig/errors/0")
	case kind == "quota halved":
		return f.toggle(ctx, vendor, "/rig/quota/50", "/rig/quota/100")
	case kind == tokenDeath:
		return f.toggle(ctx, vendor, "/rig/token/revoke", "")
	}
	d := f.daemons[victim]
	if victim == target {
		d = f.daemons[receiving]
	}
	if d == nil {
		return nil, fmt.Errorf("%s: no such victim: %s", kind, victim)
	}
	switch verb {
	case "kill":
		d.end(syscall.SIGKILL, stopPatience)
		return func() error { d.up(); return nil }, nil
	case "stop":
		d.end(syscall.SIGTERM, stopPatience)
		return func() error { d.up(); return nil }, nil
	case "freeze":
		d.freeze()
		return func() error { d.thaw(); return nil }, nil
	default:
		return nil, fmt.Errorf("no such fault: %s", kind)
	}
}

// disturb changes a link's weather.
func (f *fleet) disturb(l *link, kind string) (func() error, error) {
	w, ok := map[string]weather{
		"cut":       {cut: true},
		"partition": {up: true, down: true},
		"mute":      {up: true},
		"deaf":      {down: true},
		"slow":      {delay: 100 * time.Millisecond},
	}[kind]
	if !ok {
		return nil, fmt.Errorf("no such fault of a link: %s", kind)
	}
	l.set(w)
	return func() error { l.set(weather{}); return nil }, nil
}

func (f *fleet) strikeDatabase(ctx context.Context, verb string) (func() error, error) {
	d := f.data
	switch verb {
	case "kill":
		return func() error {
			if err := d.start(ctx); err != nil {
				return err
			}
			return d.await(ctx)
		}, d.kill(ctx)
	case "freeze":
		return func() error { return d.thaw(ctx) }, d.freeze(ctx)
	case "poison":
		return func() error {
				return d.execute(ctx, "ALTER TABLE juliu.sales_out_order DROP CONSTRAINT IF EXISTS poison")
			},
			d.execute(ctx, fmt.Sprintf("ALTER TABLE juliu.sales_out_order ADD CONSTRAINT poison CHECK (io_id %% %d <> 0) NOT VALID", poisonShare))
	default:
		return nil, fmt.Errorf("no such fault of a database: %s", verb)
	}
}

// toggle presses a switch of a process of the rig; off is how to undo it, empty if nothing has to be.
func (f *fleet) toggle(ctx context.Context, name, on, off string) (func() error, error) {
	undo := func() error {
		if off == "" {
			return nil
		}
		return f.call(ctx, name, http.MethodPost, off, io.Discard)
	}
	return undo, f.call(ctx, name, http.MethodPost, on, io.Discard)
}

// call asks a process on its own port, past its link.
func (f *fleet) call(ctx context.Context, name, method, path string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+at(f.ports[name])+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s for %s: %s", name, path, answer.Status)
	}
	if _, err := io.Copy(out, answer.Body); err != nil {
		return fmt.Errorf("read the answer of %s: %w", name, err)
	}
	return nil
}

// leading is the extractor that says it holds the lease. While none does, as after the last one was frozen, the next is waited for: a fault
// of a standby would prove little. When none comes it is the first.
func (f *fleet) leading(ctx context.Context) string {
	found := extractors()[0]
	_ = until(ctx, 3*leaseTTL, "an extractor leads", func() error {
		for _, name := range extractors() {
			asking, cancel := context.WithTimeout(ctx, time.Second)
			var said strings.Builder
			err := f.call(asking, name, http.MethodGet, "/metrics", &said)
			cancel()
			if err == nil && strings.Contains(said.String(), "\njuliu_extractor_leading 1") {
				found = name
				return nil
			}
		}
		return errors.New("none of them says so")
	})
	return found
}

// resolve names the process or link that a victim stands for now.
func (f *fleet) resolve(ctx context.Context, victim string) string {
	switch victim {
	case leader:
		return f.leading(ctx)
	case linkLeader:
		return "link of " + f.leading(ctx)
	default:
		return victim
	}
}
