package sandbox

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// serveLedger writes Ledger.Final as JSON: [{"io_id":"100000","ts":1,"modified":"RFC 3339","status":"Confirmed"}], by io_id.
func (s *Sandbox) serveLedger(w http.ResponseWriter, _ *http.Request) {
	e := encoder{}
	e.open('[')
	for _, f := range s.Ledger().final() {
		v := f.version
		e.open('{')
		e.text("io_id", key(f.id))
		e.integer("ts", v.ts)
		e.text("modified", time.UnixMilli(v.modified).UTC().Format(time.RFC3339Nano))
		e.text("status", v.status.String())
		e.close('}')
	}
	e.close(']')
	writeJSON(w, e.bytes())
}

func (s *Sandbox) serveSettle(w http.ResponseWriter, _ *http.Request) {
	s.Settle()
	w.WriteHeader(http.StatusNoContent)
}

// servePage shows a person what is going on.
func (s *Sandbox) servePage(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	s.store.release(s.now())
	versions := 0
	byStatus := map[string]int{}
	for i := range s.store.rows {
		r := &s.store.rows[i]
		versions += len(r.versions)
		if r.shown >= 0 {
			byStatus[r.current().status.String()]++
		}
	}
	orders, waiting := len(s.store.byTS.ids), len(s.store.pending)
	s.mu.Unlock()

	var page strings.Builder
	page.WriteString("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Jushuitan sandbox</title><h1>Jushuitan sandbox</h1>")
	fmt.Fprintf(&page, "<p>%d orders visible, %d versions, %d late commits to come.</p><table>", orders, versions, waiting)
	for _, name := range slices.Sorted(maps.Keys(byStatus)) {
		fmt.Fprintf(&page, "<tr><td>%s<td>%d", name, byStatus[name])
	}
	page.WriteString("</table><h2>Calls</h2><table><tr><th>route<th>code<th>fault<th>calls")
	var lines []string
	for call, n := range s.Ledger().Calls() {
		lines = append(lines, fmt.Sprintf("<tr><td>%s<td>%d<td>%s<td>%d", html.EscapeString(call.Route), call.Code, call.Fault, n))
	}
	slices.Sort(lines)
	page.WriteString(strings.Join(lines, "") + "</table></html>\n")
	writeHTML(w, http.StatusOK, page.String())
}
