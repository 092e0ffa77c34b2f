package sandbox

import (
	"fmt"
	"net/http"
	"time"
)

// tokens is the one access token of the merchant with its refresh token.
type tokens struct {
	access, refresh string
	expires         time.Time
	issued          int64 // how many times fresh values were given
	revoked         bool  // the access token is dead before its time
	lose, stale     int   // how many refreshes are still to be answered wrongly, see Config
}

const refreshSpan = 7 * 24 * time.Hour

func newTokens(cfg Config, now time.Time) tokens {
	return tokens{
		access: cfg.AccessToken.Reveal(), refresh: cfg.RefreshToken.Reveal(), expires: now.Add(cfg.TokenTTL),
		lose: cfg.LoseRefreshes, stale: cfg.StaleRefreshes,
	}
}

func (t *tokens) alive(now time.Time) bool { return now.Before(t.expires) }

// replace gives fresh values.
func (t *tokens) replace(seed uint64) {
	t.issued++
	t.access = fmt.Sprintf("%016x%016x", mix(seed, t.issued, purposeAccess), mix(seed, t.issued, 0))
	t.refresh = fmt.Sprintf("%016x%016x", mix(seed, t.issued, purposeRefresh), mix(seed, t.issued, 1))
}

// RevokeToken ends the access token now, before its time. Its refresh token still works.
func (s *Sandbox) RevokeToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens.revoked = true
}

// issue handles getInitToken and accessToken: a living token keeps its value, a dead one is replaced; either gets a full term.
func (s *Sandbox) issue(w http.ResponseWriter, r *http.Request) {
	s.token(w, r, []string{"app_key", "timestamp", "charset", "grant_type", "code", "sign"}, func(now time.Time) refusal {
		if r.PostForm.Get("grant_type") != "authorization_code" {
			return refusal{codeParameter, "grant_type参数无法转换"}
		}
		if s.tokens.revoked || !s.tokens.alive(now) {
			s.tokens.replace(s.cfg.Seed)
		}
		s.tokens.revoked, s.tokens.expires = false, now.Add(s.cfg.TokenTTL)
		return refusal{}
	})
}

// renew handles refreshToken: the value stays, unless Config.RotateTokens, and the term begins anew.
func (s *Sandbox) renew(w http.ResponseWriter, r *http.Request) {
	s.token(w, r, []string{"app_key", "timestamp", "charset", "grant_type", "refresh_token", "scope", "sign"}, func(now time.Time) refusal {
		switch {
		case r.PostForm.Get("grant_type") != "refresh_token", r.PostForm.Get("scope") != "all":
			return refusal{codeParameter, "grant_type或scope参数无法转换"}
		case r.PostForm.Get("refresh_token") != s.tokens.refresh, !s.tokens.alive(now):
			return refusal{codeToken, "refresh_token无效或已过期"}
		default:
			refused := s.extend(now)
			if refused.code == 0 && s.cfg.RotateTokens {
				s.tokens.replace(s.cfg.Seed)
			}
			return refused
		}
	})
}

// extend begins the term of a living token anew.
func (s *Sandbox) extend(now time.Time) refusal {
	switch {
	case s.cfg.ISV:
		return refusal{codeInternal, "服务商应用禁止刷新access_token"}
	case s.cfg.RefreshLastWeekOnly && s.tokens.expires.Sub(now) > refreshSpan:
		return refusal{codeParameter, "access_token有效期大于7天，暂不能刷新"}
	default:
		s.tokens.revoked, s.tokens.expires = false, now.Add(s.cfg.TokenTTL)
		return refusal{}
	}
}

// renewPartner handles the old gateway's refresh.token, which names no refresh token: the access token itself asks. No source shows the
// answer; this one says how long the token is good for.
func (s *Sandbox) renewPartner(w http.ResponseWriter, r *http.Request, c call) {
	s.mu.Lock()
	now := s.now()
	refused := checkPublic(partner(), c, now)
	if refused.code == 0 {
		refused = s.checkCaller(c, now)
	}
	if refused.code == 0 {
		refused = s.extend(now)
	}
	left := s.tokens.expires.Sub(now)
	s.calls[Call{Route: r.URL.Path, Code: refused.code}]++
	s.mu.Unlock()
	if refused.code != 0 {
		writeJSON(w, partner().failure(refused))
		return
	}
	e := encoder{}
	e.open('{')
	e.integer("code", 0)
	e.boolean("issuccess", true)
	e.text("msg", textSuccess)
	e.integer("expires_in", int64(left/time.Second))
	e.close('}')
	writeJSON(w, e.bytes())
}

// token does what the token routes share: form, clock and signature before, the answer after the decision.
func (s *Sandbox) token(w http.ResponseWriter, r *http.Request, needed []string, decide func(now time.Time) refusal) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	call := s.readForm(w, r, needed)
	s.mu.Lock()
	now := s.now()
	refused := checkPublic(openapi(), call, now)
	left := s.tokens.expires.Sub(now)
	if refused.code == 0 {
		refused = decide(now)
	}
	lost := false
	if refused.code == 0 {
		lost, left = s.tokens.spoil(r.PostForm.Get("grant_type"), left, s.tokens.expires.Sub(now))
	}
	t := s.tokens
	s.calls[Call{Route: r.URL.Path, Code: refused.code}]++
	s.mu.Unlock()
	if refused.code != 0 {
		writeJSON(w, openapi().failure(refused))
		return
	}
	if lost {
		resetConnection(w)
		return
	}
	e := encoder{}
	e.open('{')
	e.integer("code", 0)
	e.text("msg", textSuccess)
	e.key("data")
	e.open('{')
	e.text("access_token", t.access)
	e.text("refresh_token", t.refresh)
	e.integer("expires_in", int64(left/time.Second))
	e.text("scope", "all")
	e.close('}')
	e.close('}')
	writeJSON(w, e.bytes())
}

// spoil says whether the answer of a refresh that was carried out is lost, and how much of the term it names.
func (t *tokens) spoil(grant string, before, left time.Duration) (bool, time.Duration) {
	switch {
	case grant != "refresh_token":
		return false, left
	case t.lose > 0:
		t.lose--
		return true, left
	case t.stale > 0:
		t.stale--
		return false, before
	default:
		return false, left
	}
}
