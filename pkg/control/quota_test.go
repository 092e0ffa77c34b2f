package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"juliu/pkg/control"
)

// counting is a quota of which another call is used whenever it is told.
func counting() func() control.Quota {
	var calls atomic.Int64
	return func() control.Quota {
		return control.Quota{Used: int(calls.Add(1)), Allowed: 80, Configured: 100, Refused: 3}
	}
}

func quotaOf(t *testing.T, leases *control.Leases) *control.Quota {
	t.Helper()
	holder, _, err := leases.Current(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	return holder.Quota
}

func TestAHolderTellsItsQuotaWithEachRenewal(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	setTTL(t, server, 2*time.Second)
	leases := openLeases(t, conn)
	first := hold(t, leases.WithQuota(counting()), source, "first")
	within(t, "the lease", 2*time.Second, first.began)
	eventually(t, "the quota was told three times", func() bool {
		q := quotaOf(t, leases)
		return q != nil && q.Used >= 3 && *q == control.Quota{Used: q.Used, Allowed: 80, Configured: 100, Refused: 3}
	})
	// Whoever follows tells its own, or none: nothing of the one before is left.
	first.release()
	within(t, "the takeover", 2*time.Second, hold(t, leases, source, "second").began)
	if q := quotaOf(t, leases); q != nil {
		t.Errorf("a holder that tells none has the quota of the one before: %+v", q)
	}
}

// A process that was stopped while another took its lease tells nothing more, and one that crashed is forgotten with its figures.
func TestNeitherAZombieNorACrashTellsAQuota(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	leases := openLeases(t, conn)
	js := rawJS(t, server.URL())
	zombie := hold(t, leases.WithQuota(counting()), source, "zombie")
	within(t, "the lease", 2*time.Second, zombie.began)
	kv, err := js.KeyValue(t.Context(), control.LeaseBucket)
	if err != nil {
		t.Fatal(err)
	}
	follower := `{"name":"follower","quota":{"used":1,"allowed":2,"configured":2,"refused":0},"hold":"F"}`
	if _, err := kv.PutString(t.Context(), source, follower); err != nil {
		t.Fatal(err)
	}
	if err, _ := within(t, "the loss", 5*time.Second, zombie.result); !errors.Is(err, control.ErrLeaseLost) {
		t.Error(err)
	}
	if holder, held, err := leases.Current(t.Context(), source); err != nil || !held || holder.Name != "follower" || *holder.Quota != (control.Quota{Used: 1, Allowed: 2, Configured: 2}) {
		t.Errorf("the zombie wrote over its follower: %+v, %v, %v", holder, held, err)
	}
	eventually(t, "the follower, which renews nothing, is forgotten", func() bool {
		_, held, err := leases.Current(t.Context(), source)
		return err == nil && !held
	})
}

// Versions of juliu that know no quota stand beside those that do.
func TestALeaseWithoutQuotaIsReadAndOneWithItByAnOldReader(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	leases := openLeases(t, conn)
	kv, err := rawJS(t, server.URL()).KeyValue(t.Context(), control.LeaseBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), "old", `{"name":"old/1","since":"2026-11-24T16:16:33Z","hold":"X"}`); err != nil {
		t.Fatal(err)
	}
	if holder, held, err := leases.Current(t.Context(), "old"); err != nil || !held || holder != (control.Holder{Name: "old/1", Since: epoch()}) {
		t.Errorf("an old record: %+v, %v, %v", holder, held, err)
	}
	within(t, "the lease", 2*time.Second, hold(t, leases.WithQuota(counting()), source, "new").began)
	entry, err := kv.Get(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	var old struct { // as it was before quotas were told
		Name  string    `json:"name"`
		Since time.Time `json:"since,omitzero"`
		Hold  string    `json:"hold"`
	}
	if err := json.Unmarshal(entry.Value(), &old); err != nil || old.Name != "new" || !old.Since.Equal(epoch()) || old.Hold == "" {
		t.Errorf("an old reader has %+v, %v of %s", old, err, entry.Value())
	}
	if all, err := leases.All(t.Context()); err != nil || !slices.Equal(slices.Sorted(maps.Keys(all)), []string{source, "old"}) {
		t.Errorf("all leases are %+v, %v", all, err)
	}
}

// A process that stands alone is shown and waits for nobody, not even for what a crash left behind.
func TestAProcessThatStandsAloneIsShown(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	setTTL(t, server, 2*time.Second)
	leases := openLeases(t, conn)
	kv, err := rawJS(t, server.URL()).KeyValue(t.Context(), control.LeaseBucket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.PutString(t.Context(), source, `{"name":"crashed","hold":"X"}`); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	began := time.Now()
	err = leases.WithQuota(counting()).Show(t.Context(), source, control.Holder{Name: "up"}, func(ctx context.Context) error {
		if took := time.Since(began); took > time.Second {
			t.Errorf("it waited %v", took)
		}
		eventually(t, "it is shown", func() bool {
			holder, held, err := leases.Current(ctx, source)
			return err == nil && held && holder.Name == "up" && holder.Quota != nil
		})
		return mine
	})
	if !errors.Is(err, mine) {
		t.Error(err)
	}
	if all, err := leases.All(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("after its end it is shown: %+v, %v", all, err)
	}
	server.Close()
	if err := leases.Show(t.Context(), source, control.Holder{}, func(context.Context) error { return nil }); err != nil {
		t.Errorf("trouble with NATS ended it: %v", err)
	}
}
