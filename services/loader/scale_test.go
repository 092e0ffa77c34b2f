package loader_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/sink/postgres/postgrestest"
)

// watch makes the database a witness: every version that a transaction tries to write, and every one that it really wrote, is noted in
// the same transaction; two of a hundred statements are slow, and two fail. The witness trusts the tables only, not the sink.
const watch = `
CREATE TABLE public.tried (io_id bigint, ts bigint);
CREATE TABLE public.wrote (io_id bigint, was bigint, ts bigint);
CREATE FUNCTION public.note_try() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.tried VALUES (NEW.io_id, NEW.ts); RETURN NEW; END $$;
CREATE FUNCTION public.note_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.wrote VALUES (NEW.io_id, CASE WHEN TG_OP = 'UPDATE' THEN OLD.ts END, NEW.ts); RETURN NULL; END $$;
CREATE FUNCTION public.misbehave() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE dice float := random();
BEGIN
	IF dice < 0.02 THEN PERFORM pg_sleep(%[1]f); ELSIF dice < 0.04 THEN RAISE EXCEPTION 'no' USING ERRCODE = 'P0001'; END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER tries BEFORE INSERT ON juliu.sales_out_order FOR EACH ROW EXECUTE FUNCTION public.note_try();
CREATE TRIGGER writes AFTER INSERT OR UPDATE ON juliu.sales_out_order FOR EACH ROW EXECUTE FUNCTION public.note_write();
CREATE TRIGGER misbehaves BEFORE INSERT ON juliu.sales_out_order FOR EACH STATEMENT EXECUTE FUNCTION public.misbehave();`

// fleet is a number of loader processes.
type fleet struct {
	path   string
	env    []string
	random *rand.Rand
	crew   []*exec.Cmd
	kills  int
	// inHand sums what all loaders had in hand before each kill.
	inHand uint64
}

// scale starts or kills processes until there are n, and kills one more that is replaced.
func (f *fleet) scale(t *testing.T, n int) {
	t.Helper()
	if len(f.crew) > 0 {
		f.kill(t)
	}
	for len(f.crew) > n {
		f.kill(t)
	}
	for len(f.crew) < n {
		cmd, _ := command(t, f.path, f.env...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		f.crew = append(f.crew, cmd)
	}
}

// kill is kill -9 of any of them.
func (f *fleet) kill(t *testing.T) {
	t.Helper()
	i := f.random.IntN(len(f.crew))
	victim := f.crew[i]
	f.crew = append(f.crew[:i], f.crew[i+1:]...)
	if err := victim.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = victim.Wait()
	f.kills++
}

// Loaders come, go and are killed while they write the versions of orders, in any order, into one database. However many there are, the
// table ends with the newest version of each order and never went back; what is written twice is what the killed ones had in hand.
func TestAnyNumberOfLoadersEndsWithTheNewestVersions(t *testing.T) {
	t.Parallel()
	keys, updates, most := 300, 6000, 4
	if os.Getenv("JULIU_LONG") != "" {
		keys, updates, most = 5000, 100_000, 16
	}
	const ackWait, every = 2 * time.Second, 3 * time.Second
	url := postgrestest.Database(t)
	b, path := setup(t), binary(t)
	b.setAckWait(t, ackWait)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	f := &fleet{
		path: path, random: rand.New(rand.NewPCG(seed, 1)),
		env: []string{"NATS_URL=" + b.server.URL(), "LOADER_SINK=postgres", "LOADER_POSTGRES_URL=" + url, "LOADER_WORKERS=4"},
	}
	f.scale(t, 1)
	until(t, "the tables are there", func() bool {
		return postgrestest.Ask[bool](t, url, "SELECT to_regclass('juliu.sales_out_order') IS NOT NULL")
	})
	postgrestest.Execute(t, url, fmt.Sprintf(watch, (ackWait+ackWait/2).Seconds()))

	newest, done := make(map[int]int, keys), 0
	tick, deadline := time.NewTicker(every), time.NewTimer(10*patience)
	defer tick.Stop()
	defer deadline.Stop()
	for done < updates || b.snapshot(t).Lag() > 0 {
		page := make([]record.Record, min(2000, updates-done))
		for i := range page {
			key := 1 + done%keys
			newest[key]++
			page[i] = order(t, key, newest[key])
			done++
		}
		b.store(t, page...)
		until(t, "some are in hand", func() bool { now := b.snapshot(t); return now.AckPending > 0 || now.Lag() == 0 })
		f.inHand += b.snapshot(t).AckPending
		f.scale(t, 1+f.random.IntN(most)) // in the middle of the work
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%d records are not loaded", b.snapshot(t).Lag())
		}
	}
	for _, cmd := range f.crew {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}

	wrong := postgrestest.Ask[int](t, url, "SELECT count(*) FROM juliu.sales_out_order WHERE ts <> $1", updates/keys)
	rows := postgrestest.Ask[int](t, url, "SELECT count(*) FROM juliu.sales_out_order")
	back := postgrestest.Ask[int](t, url, "SELECT count(*) FROM public.wrote WHERE ts <= was")
	again := postgrestest.Ask[int](t, url, "SELECT count(*) - count(DISTINCT (io_id, ts)) FROM public.tried")
	letters := b.snapshot(t).DeadLetters
	t.Logf("%d updates of %d orders, %d kills with %d in hand: %d written again (%.2f %%), %d dead letters", updates, keys, f.kills, f.inHand, again, 100*float64(again)/float64(updates), letters)
	if rows != keys || wrong != 0 || back != 0 || letters != 0 {
		t.Errorf("%d rows of %d, %d not the newest version, %d went back, %d dead letters", rows, keys, wrong, back, letters)
	}
	// What was in hand when loaders were killed may have been written and not yet acknowledged.
	if most := updates/100 + int(f.inHand); again > most {
		t.Errorf("%d versions written again, want at most %d", again, most)
	}
}
