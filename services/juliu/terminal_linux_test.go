package juliu_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"juliu/pkg/control"
	"juliu/pkg/jushuitan/sandbox"
)

// On a terminal backfill asks, draws a bar, and is left by Ctrl-C.
func TestBackfillOnATerminal(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{Orders: 3000, History: 72 * time.Hour})
	g.startExtractor(t, "10")

	screen := g.onTerminal(t, "backfill", "--from", "80h", "--to", "1h")
	screen.expect("Start? [y/N] ")
	screen.types("n\n")
	screen.expect("not started, as answered")
	screen.ends(1)

	screen = g.onTerminal(t, "backfill", "--from", "80h", "--to", "1h")
	screen.expect("Start? [y/N] ")
	screen.types("y\n")
	screen.expect("\r\x1b[K[###")
	screen.expect(" rows/s")
	screen.types("\x03")
	screen.expect("watch it with: juliu jobs watch")
	screen.ends(0)

	list, err := g.jobs.List(t.Context())
	if err != nil || len(list) != 2 || list[0].State != control.Running || list[1].State != control.Cancelled {
		t.Fatalf("the jobs are %+v, %v; want one that runs, after one that was cancelled", list, err)
	}
	screen = g.onTerminal(t, "jobs", "watch", list[0].ID)
	screen.expect("% ")
	g.steer(t, 0, "pause", list[0].ID, "is paused")
	screen.expect("is paused; go on with: juliu jobs resume")
	g.steer(t, 0, "cancel", list[0].ID, "is cancelled")
	screen.expect("was cancelled after")
	screen.ends(1)
}

// On a terminal the desk asks before it requeues or drops.
func TestTheDeskAsksOnATerminal(t *testing.T) {
	t.Parallel()
	g := newGround(t, sandbox.Config{})
	fill(t, g)
	screen := g.onTerminal(t, "dlq", "drop", "--all")
	screen.expect("Drop 5 dead letters for good? [y/N] ")
	screen.types("n\n")
	screen.expect("not started, as answered")
	screen.ends(1)

	screen = g.onTerminal(t, "dlq", "requeue", "--all")
	screen.expect("Requeue? [y/N] ")
	screen.types("\x03")
	screen.expect("interrupted; nothing was done")
	screen.ends(1)
	if snap := g.snapshot(t); snap.DeadLetters != 5 {
		t.Errorf("%d dead letters are left of 5", snap.DeadLetters)
	}

	screen = g.onTerminal(t, "dlq", "requeue", "--all")
	screen.expect("Requeue? [y/N] ")
	screen.types("y\n")
	screen.expect("done: 3 given to the loaders again, 1 superseded")
	screen.ends(0)
	if snap := g.snapshot(t); snap.DeadLetters != 1 {
		t.Errorf("%d dead letters are left, want the row", snap.DeadLetters)
	}
}

// screen is a program on a terminal of its own.
type screen struct {
	t      *testing.T
	master *os.File
	ended  chan int
	text   string
}

func (g *ground) onTerminal(t *testing.T, args ...string) *screen {
	t.Helper()
	master, slave := terminals(t)
	p := command(t.Context(), t, nil, "juliu", append(args, "--data", g.data)...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = slave, slave, slave
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	s := &screen{t: t, master: master, ended: make(chan int, 1)}
	go func() {
		_ = p.cmd.Wait()
		s.ended <- p.cmd.ProcessState.ExitCode()
	}()
	return s
}

// terminals opens a terminal of 100 columns: the end of whoever types, and the program's (pty(7)).
func terminals(t *testing.T) (*os.File, *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	raw, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	number := 0
	var failed error
	if err := raw.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 100})
		}
		if failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// expect waits until the text stands on the screen, and forgets what stood before its end.
func (s *screen) expect(text string) {
	s.t.Helper()
	if err := s.master.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	for {
		if _, rest, found := strings.Cut(s.text, text); found {
			s.text = rest
			return
		}
		n, err := s.master.Read(buffer)
		s.text += string(buffer[:n])
		if err != nil && !strings.Contains(s.text, text) {
			s.t.Fatalf("no %q on the screen (%v):\n%q", text, err, s.text)
		}
	}
}

func (s *screen) types(text string) {
	s.t.Helper()
	if _, err := s.master.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) ends(want int) {
	s.t.Helper()
	select {
	case code := <-s.ended:
		if code != want {
			s.t.Errorf("exit code %d, want %d", code, want)
		}
	case <-time.After(10 * time.Second):
		s.t.Fatal("the program goes on")
	}
}
