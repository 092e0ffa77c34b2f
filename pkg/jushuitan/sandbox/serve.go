package sandbox

import (
	"cmp"
	"net"
	"net/http"
	"strconv"
	"time"
)

const defaultStall = 30 * time.Second

// serveQuery answers a business call of either gateway: fault, checks, query, page.
func (s *Sandbox) serveQuery(w http.ResponseWriter, r *http.Request, d dialect, c call) {
	s.mu.Lock()
	struck := s.faults.draw(s.faultRand)
	wait := cmp.Or(s.faults.StallFor, defaultStall)
	s.mu.Unlock()
	if serveBroken(w, struck) {
		s.count(r, noCode, struck)
		return
	}
	if struck == stall {
		pause(r, wait)
	}
	if r.Context().Err() != nil {
		return // The caller has given up; what it does not see must not change anything.
	}

	s.mu.Lock()
	q, a, refused := s.answer(d, c, struck)
	slow := time.Duration(0)
	if refused.code == 0 && q.pageIndex > 10 {
		slow = s.faults.SlowPages * time.Duration(min(q.pageIndex-1, 10_000)) // The product must not overflow.
	}
	s.mu.Unlock()
	s.count(r, refused.code, struck)
	if refused.code != 0 {
		writeJSON(w, d.failure(refused))
		return
	}
	pause(r, slow)
	body := s.success(d, a, q.extras, struck)
	if struck == cutBody {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		body = body[:len(body)/2] // The server closes a connection whose answer is shorter than announced.
	} else if r.Context().Err() == nil {
		s.markServed(a)
	}
	writeJSON(w, body)
}

// answer decides a call under the lock.
func (s *Sandbox) answer(d dialect, c call, struck fault) (query, answer, refusal) {
	now := s.now()
	s.store.release(now)
	if r := checkPublic(d, c, now); r.code != 0 {
		return query{}, answer{}, r
	}
	if r := s.checkCaller(c, now); r.code != 0 {
		return query{}, answer{}, r
	}
	if r := s.checkRight(c, now); r.code != 0 {
		return query{}, answer{}, r
	}
	if r := struck.refusal(c.caller); r.code != 0 {
		return query{}, answer{}, r
	}
	q, bad := parseQuery(c.body)
	if bad != "" {
		return q, answer{}, refuse(codeParameter, bad)
	}
	if broken := q.validate(s.cfg.Oversize); broken != "" {
		return q, answer{}, refusal{d.broken, broken}
	}
	if q.shop > 0 && !s.catalogue.hasShop(q.shop) {
		return q, answer{}, refuse(codeShop, "")
	}
	s.drift(func() []int32 { return s.candidates(&q) })
	a := s.search(&q)
	switch {
	case struck == repeatPage && q.pageIndex > 1:
		earlier := q
		earlier.pageIndex--
		a.rows = s.search(&earlier).rows
	case struck == shortPage && a.hasNext:
		a.rows = a.rows[:len(a.rows)-(len(a.rows)+2)/3]
	}
	return q, a, refusal{}
}

// refusal is the code that a fault answers in place of a page.
func (f fault) refusal(caller string) refusal {
	switch f {
	case code100:
		return refuse(codeToken, "")
	case code110:
		return refuse(codeIP, caller)
	case code150:
		return refusal{codeInternal, "内部错误"}
	case code190:
		return refuse(codeDenied, "")
	case code199:
		return refuse(codePerSecond, "")
	case code200:
		return refuse(codePerMinute, "")
	case unknownCode:
		return refuse(codeNeverSeen, "")
	default:
		return refusal{}
	}
}

// serveBroken gives the answers that do not come from the ERP at all, and reports whether it gave one.
func serveBroken(w http.ResponseWriter, struck fault) bool {
	switch struck {
	case http429:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "Too Many Requests", http.StatusTooManyRequests)
	case http502:
		writeHTML(w, http.StatusBadGateway, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>"+
			"<center><h1>502 Bad Gateway</h1></center><hr><center>Tengine</center></body>\r\n</html>")
	case html200:
		writeHTML(w, http.StatusOK, "<!doctype html><html><head><meta charset=\"utf-8\"><title>访问被拦截</title></head>"+
			"<body>很抱歉，由于您访问的URL有可能对网站造成安全威胁，您的访问被阻断。</body></html>")
	case reset:
		resetConnection(w)
	default:
		return false
	}
	return true
}

// resetConnection drops the connection with a TCP reset; where the server has no plain connection to drop, with an answer cut to nothing.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.Header().Set("Content-Length", "1024")
		w.WriteHeader(http.StatusOK)
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// pause waits, or less when the caller goes away.
func pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// The caller may be gone by the time of an answer; there is nobody left to tell, so errors of writing are dropped.

func writeJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body)
}

func writeHTML(w http.ResponseWriter, code int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(page))
}
