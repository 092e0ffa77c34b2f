package rig_test

import (
	"bufio"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"juliu/scripts/chaos/rig"
)

// echo answers each line with itself, on as many connections as come.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed with the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					_, _ = conn.Write(append(lines.Bytes(), '\n'))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

type talk struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, address string) talk {
	t.Helper()
	conn, err := net.Dial("tcp", address) //nolint:noctx // closed with the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return talk{t, conn, bufio.NewReader(conn)}
}

func (k talk) say(line string) {
	k.t.Helper()
	if _, err := k.conn.Write([]byte(line + "\n")); err != nil {
		k.t.Fatal(err)
	}
}

// hear is the next line, or what prevents it within the time.
func (k talk) hear(within time.Duration) (string, error) {
	_ = k.conn.SetReadDeadline(time.Now().Add(within))
	return k.in.ReadString('\n')
}

func TestALinkHoldsBackAndDeliversLate(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"partition", "deaf", "mute"} {
		link, err := rig.NewLink(t.Context(), echo(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(link.Close)
		k := dial(t, link.Address())
		k.say("well")
		if line, err := k.hear(5 * time.Second); err != nil || line != "well\n" {
			t.Fatalf("%q, %v", line, err)
		}
		if err := link.Set(kind); err != nil {
			t.Fatal(err)
		}
		k.say("held")
		if line, err := k.hear(100 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %q, %v, want silence", kind, line, err)
		}
		if err := link.Set(""); err != nil {
			t.Fatal(err)
		}
		if line, err := k.hear(5 * time.Second); err != nil || line != "held\n" {
			t.Errorf("%s: %q, %v, want what was held", kind, line, err)
		}
	}
}

func TestASlowLinkDeliversLateAndACutOneNothing(t *testing.T) {
	t.Parallel()
	link, err := rig.NewLink(t.Context(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(link.Close)
	k := dial(t, link.Address())
	if err := link.Set("slow"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	k.say("slow")
	if line, err := k.hear(5 * time.Second); err != nil || line != "slow\n" || time.Since(began) < 200*time.Millisecond {
		t.Errorf("%q, %v after %v, want it after a delay each way", line, err, time.Since(began))
	}
	if err := link.Set("cut"); err != nil {
		t.Fatal(err)
	}
	if line, err := k.hear(5 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut: %q, %v, want a reset", line, err)
	}
	again := dial(t, link.Address())
	if line, err := again.hear(5 * time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut: %q, %v, want a refusal", line, err)
	}
	if err := link.Set("unheard of"); err == nil {
		t.Error("a fault that does not exist is taken for one")
	}
}
