package jushuitan_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/secret"
)

// interval is how often the poller of the live lane polls.
const interval = 15 * time.Second

// shop is a sandbox behind a network of 100 to 400 ms, its client, and what the server saw.
type shop struct {
	*sandbox.Sandbox
	client *jushuitan.Client
	start  time.Time

	mu     sync.Mutex // guards what follows
	random *rand.Rand
	seen   []sight
	late   []lateness
}

// sight is one call as the server saw it.
type sight struct {
	at    time.Time
	lane  jushuitan.Lane
	taken bool
}

// lateness is how long after its due moment a poll had its answers.
type lateness struct{ due, by time.Duration }

// newShop is a server and a client that agree about the rates. It is to be called inside the bubble, because both ends take its clock.
func newShop(t *testing.T, perSecond, perMinute int) *shop {
	t.Helper()
	simulator, err := sandbox.New(sandbox.Config{Now: time.Now, RatePerSecond: perSecond, RatePerMinute: perMinute})
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{Sandbox: simulator, start: time.Now(), random: rand.New(rand.NewPCG(1, 2))}
	s.client = newClient(t, jushuitan.Config{
		AppKey: sandbox.DefaultAppKey, AppSecret: secret.New(sandbox.DefaultAppSecret), AccessToken: secret.New(sandbox.DefaultAccessToken),
		RefreshToken: secret.New(sandbox.DefaultRefreshToken), Now: time.Now, HTTP: s,
		RatePerSecond: perSecond, RatePerMinute: perMinute,
	})
	return s
}

// RoundTrip hands the call to the simulator, half of the latency before and half behind it.
func (s *shop) RoundTrip(req *http.Request) (*http.Response, error) {
	half := time.Duration(50+s.draw(151)) * time.Millisecond
	if err := wait(req.Context(), half); err != nil {
		return nil, err
	}
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, req)
	var body struct {
		Code int `json:"code"`
	}
	err := json.Unmarshal(answer.Body.Bytes(), &body)
	s.mu.Lock()
	s.seen = append(s.seen, sight{time.Now(), jushuitan.LaneOf(req.Context()), err == nil && body.Code == 0})
	s.mu.Unlock()
	if err := wait(req.Context(), half); err != nil {
		return nil, err
	}
	return answer.Result(), nil
}

func (s *shop) draw(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

// query makes one call, again at once when it is refused, until it is taken or ctx ends.
func (s *shop) query(ctx context.Context) error {
	for {
		_, err := s.client.Query(ctx, jushuitan.SalesOut(), map[string]any{"io_ids": []int{1}})
		if e, ok := errors.AsType[*jushuitan.Error](err); !ok || !e.Retryable() {
			return err
		}
	}
}

// poll makes 1 to 3 live calls every interval until ctx ends, and notes how late their answers were.
func (s *shop) poll(ctx context.Context) {
	for due := time.Now(); ; due = due.Add(interval) {
		if wait(ctx, time.Until(due)) != nil {
			return
		}
		for range 1 + s.draw(3) {
			if s.query(ctx) != nil {
				return
			}
		}
		s.late = append(s.late, lateness{due.Sub(s.start), time.Since(due)})
	}
}

// keep makes calls of the lane without a pause until ctx ends.
func (s *shop) keep(lane jushuitan.Lane) func(ctx context.Context) {
	return func(ctx context.Context) {
		for s.query(jushuitan.WithLane(ctx, lane)) == nil {
		}
	}
}

// count is how many calls the server took and refused from one moment of the run to another.
func (s *shop) count(from, to time.Duration, lanes ...jushuitan.Lane) (int, int) {
	taken, refused := 0, 0
	for _, call := range s.seen {
		at := call.at.Sub(s.start)
		switch {
		case at < from || at >= to || lanes != nil && !slices.Contains(lanes, call.lane):
		case call.taken:
			taken++
		default:
			refused++
		}
	}
	return taken, refused
}

// freshness is the lateness that 99 of 100 polls keep, and the worst poll.
func (s *shop) freshness() (time.Duration, lateness) {
	sorted := slices.SortedFunc(slices.Values(s.late), func(a, b lateness) int { return int(a.by - b.by) })
	return sorted[(len(sorted)*99+99)/100-1].by, sorted[len(sorted)-1]
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l lateness) String() string { return l.by.String() + " at " + l.due.String() }
