package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// weather is what a link does to what passes.
type weather struct {
	// cut refuses connections and resets those that are there.
	cut bool
	// up and down hold back what the client, and what the server says; it arrives when the link is well again, however late, also when the
	// client has given up since.
	up, down bool
	// delay is for each piece, either way.
	delay time.Duration
}

// link is a TCP proxy in front of one address.
type link struct {
	listener net.Listener
	to       string
	group    sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the weather changes
	weather weather
	conns   map[net.Conn]struct{}
	closed  bool
}

// newLink listens on a free loopback port.
func newLink(ctx context.Context, to string) (*link, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a link: %w", err)
	}
	l := &link{listener: listener, to: to, changed: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	l.group.Go(func() { l.accept(ctx) })
	return l, nil
}

// address is where clients connect.
func (l *link) address() string { return l.listener.Addr().String() }

// set changes the weather.
func (l *link) set(w weather) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.weather = w
	close(l.changed)
	l.changed = make(chan struct{})
	if w.cut {
		l.reset()
	}
}

// close ends the link and waits for its connections.
func (l *link) close() {
	_ = l.listener.Close()
	l.mu.Lock()
	l.closed = true
	close(l.changed)
	l.changed = make(chan struct{})
	l.reset()
	l.mu.Unlock()
	l.group.Wait()
}

// reset drops all connections; the caller holds the lock.
func (l *link) reset() {
	for conn := range l.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

func (l *link) accept(ctx context.Context) {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.group.Go(func() { l.serve(ctx, client) })
	}
}

// serve passes on what two sides say until both have ended.
func (l *link) serve(ctx context.Context, client net.Conn) {
	server, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "tcp", l.to)
	if err != nil {
		_ = client.Close()
		return
	}
	if !l.add(client, server) {
		_ = client.Close()
		_ = server.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pump(server, client, func(w weather) bool { return w.up }) })
	both.Go(func() { l.pump(client, server, func(w weather) bool { return w.down }) })
	both.Wait()
	l.mu.Lock()
	delete(l.conns, client)
	delete(l.conns, server)
	l.mu.Unlock()
}

func (l *link) add(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.weather.cut || l.closed {
		return false
	}
	for _, c := range conns {
		l.conns[c] = struct{}{}
	}
	return true
}

// pump passes on one direction. At its end it tells the other side, after all that was held back.
func (l *link) pump(to, from net.Conn, held func(weather) bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if !l.pass(held) {
			return
		}
		if n > 0 {
			if _, wrong := to.Write(buffer[:n]); wrong != nil {
				_ = from.Close()
				return
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			if tcp, ok := to.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			return
		default:
			_ = to.Close()
			return
		}
	}
}

// pass waits as long as the weather asks; false when the link was closed.
func (l *link) pass(held func(weather) bool) bool {
	for delayed := false; ; {
		l.mu.Lock()
		w, changed, closed := l.weather, l.changed, l.closed
		l.mu.Unlock()
		if closed {
			return false
		}
		switch {
		case held(w):
			<-changed
		case w.delay > 0 && !delayed:
			timer := time.NewTimer(w.delay)
			select {
			case <-timer.C:
			case <-changed:
			}
			timer.Stop()
			delayed = true
		default:
			return true
		}
	}
}
