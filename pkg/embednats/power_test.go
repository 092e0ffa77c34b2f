package embednats_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"juliu/pkg/control"
	"juliu/pkg/lossydisk"
	"juliu/pkg/stream"
)

// Whoever has the answer of the server has it for good: of 40 power cuts, of which some fall into the recovery from the one before.
func TestWhatIsAcknowledgedOutlivesThePower(t *testing.T) {
	t.Parallel()
	disks, cuts := 1, 4
	if isLong() {
		disks, cuts = 4, 10
	}
	for _, settings := range []string{embedded, deployed} {
		t.Run(settings, func(t *testing.T) {
			t.Parallel()
			acknowledged := 0
			for disk := range disks {
				p := newPlant(settings, lossydisk.New(), disk)
				for cut := range cuts {
					if lost := p.outage(t, cut%4 == 3); lost > 0 {
						t.Fatalf("disk %d: %d acknowledged are lost at cut %d", disk, lost, cut)
					}
				}
				if lost := p.inspect(t); lost > 0 {
					t.Fatalf("disk %d: %d acknowledged are lost at the last cut", disk, lost)
				}
				acknowledged += p.size()
			}
			t.Logf("%s: %d power cuts, %d acknowledged, 0 lost", settings, disks*cuts, acknowledged)
			if acknowledged < 20*disks*cuts {
				t.Errorf("%d acknowledged prove nothing", acknowledged)
			}
		})
	}
}

// The first is the control of the test above: a disk that keeps everything, or a cut that comes too late, would let the default settings
// pass too. The second is where the promise ends: the server syncs its files and not the folders that it makes, which loses nothing on
// the usual file systems.
func TestPowerCutsLoseWhatIsNotSynced(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		settings string
		disk     func() *lossydisk.Disk
		long     int
	}{
		"the server's default settings":                             {unsynced, lossydisk.New, 40},
		"a file system that keeps names by a sync of folders alone": {deployed, lossydisk.NewStrict, 4},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cuts := 1
			if isLong() {
				cuts = c.long
			}
			acknowledged, lost := 0, 0
			for cut := range cuts {
				p := newPlant(c.settings, c.disk(), cut)
				p.outage(t, false)
				acknowledged += p.size()
				lost += p.inspect(t)
			}
			t.Logf("%s: %d power cuts, %d acknowledged, %d lost", name, cuts, acknowledged, lost)
			if lost == 0 {
				t.Error("nothing is lost: the rig is broken, or the server has become safer")
			}
		})
	}
}

// reach is within how many changes of the disk the power is cut.
func reach() int {
	if isLong() {
		return 1500
	}
	return 600
}

func isLong() bool { return os.Getenv("JULIU_LONG") != "" }

// plant is a server whose power is cut again and again, and what it acknowledged.
type plant struct {
	*ledger

	settings string
	disk     *lossydisk.Disk
	rng      *rand.Rand
}

func newPlant(settings string, disk *lossydisk.Disk, seed int) *plant {
	source := rand.NewChaCha8([32]byte{byte(seed)})
	return &plant{ledger: newLedger(source), settings: settings, disk: disk, rng: rand.New(source)}
}

// outage starts the server, checks what it has, lets it store more until the power is cut, and returns how much was missing. The power of
// an early one is cut while the server starts.
func (p *plant) outage(tb testing.TB, early bool) int {
	tb.Helper()
	if early {
		p.disk.CutAfter(p.rng.IntN(30))
	}
	lost := 0
	err := p.run(tb, func(ctx context.Context, conn *stream.Conn) error {
		var err error
		if lost, err = p.missing(ctx, conn); err != nil {
			return err
		}
		p.disk.CutAfter(p.rng.IntN(reach()))
		return p.work(ctx, conn, p.isDark)
	})
	if !p.isDark() {
		tb.Fatalf("the power is on: %v", err)
	}
	var torn *rand.Rand
	if p.rng.IntN(2) == 0 {
		torn = p.rng
	}
	p.disk = p.disk.Restart(torn)
	return lost
}

// inspect starts the server and returns how much is missing.
func (p *plant) inspect(tb testing.TB) int {
	tb.Helper()
	lost := 0
	err := p.run(tb, func(ctx context.Context, conn *stream.Conn) error {
		var err error
		lost, err = p.missing(ctx, conn)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return lost
}

func (p *plant) isDark() bool {
	select {
	case <-p.disk.Dark():
		return true
	default:
		return false
	}
}

// run runs the server in a process of its own while fn works with it, and kills it. The context of fn ends when the power is cut.
func (p *plant) run(tb testing.TB, fn func(context.Context, *stream.Conn) error) error {
	tb.Helper()
	dir := folder(tb)
	unmount, err := p.disk.Mount(dir)
	switch {
	case err == nil:
	case os.Getenv("JULIU_REQUIRE_CONTAINERS") != "":
		tb.Fatalf("power cuts are required here (JULIU_REQUIRE_CONTAINERS) and cannot be made: %v", err)
	default:
		tb.Skipf("power cuts cannot be made here: %v", err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), 3*time.Minute)
	defer cancel()
	go func() { // the power of the disk is the server's too: the context kills it
		select {
		case <-p.disk.Dark():
			cancel()
		case <-ctx.Done():
		}
	}()
	child, line, err := spawn(ctx, dir, p.settings)
	if err == nil {
		err = use(ctx, line, fn)
		_ = child.Process.Kill()
		_ = child.Wait()
	}
	return errors.Join(err, unmount())
}

func use(ctx context.Context, url string, fn func(context.Context, *stream.Conn) error) error {
	conn, err := stream.Connect(ctx, stream.Config{URL: url, Name: "test"}, quiet())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	if _, err := stream.Provision(ctx, conn, stream.Limits{}); err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	if _, err := control.Provision(ctx, conn, 1); err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	return fn(ctx, conn)
}
