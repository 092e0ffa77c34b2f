package sandbox

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Ledger is what the sandbox showed so far, a live view. It is safe for concurrent use; each method sees one moment.
type Ledger struct{ sandbox *Sandbox }

// Version is one version of an order that queries could see.
type Version struct {
	// TS is the row's ts.
	TS int64
	// Modified is the row's modified, in UTC.
	Modified time.Time
	// Status is the vendor's word, without the trailing blank that a fault may add.
	Status string
	// SHA256 is of the row's bytes in an answer to a query that asks for no extra fields.
	SHA256 [sha256.Size]byte
	// VisibleSince is when queries began to see it; later than Modified after a late commit.
	VisibleSince time.Time
}

// noCode stands for an answer that is none of the ERP's.
const noCode = -1

// Call is a kind of call and what became of it.
type Call struct {
	// Route is the path, or "other".
	Route string
	// Code is the vendor's code of the answer; -1 when the answer was not the ERP's (HTML, HTTP 429, a reset).
	Code int
	// Fault names the fault that struck; "" is none.
	Fault string
}

// Ledger returns the view.
func (s *Sandbox) Ledger() Ledger { return Ledger{sandbox: s} }

// Final maps the io_id, in decimal, of every order that queries see now to the version they see. Left out are rows without identity, and
// with Config.HideArchived the archived ones.
func (l Ledger) Final() map[string]Version {
	final := map[string]Version{}
	for _, f := range l.final() {
		final[key(f.id)] = l.version(f)
	}
	return final
}

func (l Ledger) final() []found {
	return slices.DeleteFunc(l.all(), func(f found) bool {
		return f.version.flaws.has(quirkNoIdentity) || f.version.status == archived && l.sandbox.cfg.HideArchived
	})
}

// all copies the current version of every order, by io_id.
func (l Ledger) all() []found {
	s := l.sandbox
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.release(s.now())
	all := make([]found, 0, len(s.store.rows))
	for id := range s.store.rows {
		if r := &s.store.rows[id]; r.shown >= 0 {
			all = append(all, found{id: int32(id), created: r.created, version: *r.current()})
		}
	}
	return all
}

// Versions are all versions of an order that were ever visible, oldest first.
func (l Ledger) Versions(ioID string) []Version {
	return l.history(ioID, func(version) bool { return true })
}

// Served are the versions of an order that stood in an answer, oldest first. An answer that a fault cut or repeated over does not count.
func (l Ledger) Served(ioID string) []Version {
	return l.history(ioID, func(v version) bool { return v.served })
}

func (l Ledger) history(ioID string, keep func(version) bool) []Version {
	n, err := strconv.ParseInt(ioID, 10, 64)
	if err != nil {
		return nil
	}
	s := l.sandbox
	s.mu.Lock()
	s.store.release(s.now())
	at := n - firstIOID
	if at < 0 || at >= int64(len(s.store.rows)) {
		s.mu.Unlock()
		return nil
	}
	r := &s.store.rows[at]
	created, versions := r.created, slices.Clone(r.versions[:r.shown+1])
	s.mu.Unlock()
	var kept []Version
	for _, v := range versions {
		if keep(v) {
			kept = append(kept, l.version(found{id: int32(at), created: created, version: v})) //nolint:gosec // An index of rows.
		}
	}
	return kept
}

// Nameless is how many rows without identity queries see now.
func (l Ledger) Nameless() int {
	n := 0
	for _, f := range l.all() {
		if f.version.flaws.has(quirkNoIdentity) {
			n++
		}
	}
	return n
}

// Count is how many rows queries see now whose modified lies in [begin, end), the nameless and archived among them.
func (l Ledger) Count(begin, end time.Time) int {
	s := l.sandbox
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.release(s.now())
	x := &s.store.byModified
	return max(0, x.from(end.UnixMilli())-x.from(begin.UnixMilli()))
}

// Calls is how many calls of each kind came.
func (l Ledger) Calls() map[Call]int {
	s := l.sandbox
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

func (l Ledger) version(f found) Version {
	row := l.sandbox.catalogue.row(make([]byte, 0, 4096), f.id, f.created, f.version, extras{})
	return Version{
		TS:           f.version.ts,
		Modified:     time.UnixMilli(f.version.modified).UTC(),
		Status:       f.version.status.String(),
		SHA256:       sha256.Sum256(row[:len(row)-1]),
		VisibleSince: time.Unix(0, f.version.visible).UTC(),
	}
}

func key(id int32) string { return strconv.FormatInt(firstIOID+int64(id), 10) }

func (s *Sandbox) count(r *http.Request, code int, struck fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[Call{Route: r.URL.Path, Code: code, Fault: string(struck)}]++
}

func (s *Sandbox) markServed(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range a.rows {
		for i := range s.store.rows[f.id].versions {
			if v := &s.store.rows[f.id].versions[i]; v.ts == f.version.ts {
				v.served = true
			}
		}
	}
}
