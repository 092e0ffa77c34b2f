package control_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between client and server and can lose what one of them says.
type proxy struct {
	url    string
	target string
	// deaf loses what clients send, mute what the server answers.
	deaf, mute atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	group sync.WaitGroup
}

// startProxy runs a proxy in front of a server's URL until the test ends.
func startProxy(tb testing.TB, server string) *proxy {
	tb.Helper()
	address, err := url.Parse(server)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{target: address.Host, conns: map[net.Conn]struct{}{}}
	address.Host = listener.Addr().String()
	p.url = address.String()
	p.group.Go(func() { p.accept(listener) })
	tb.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		p.group.Wait()
	})
	return p
}

func (p *proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.group.Go(func() { p.pipe(server, client, &p.deaf) })
		p.group.Go(func() { p.pipe(client, server, &p.mute) })
	}
}

func (p *proxy) pipe(to, from net.Conn, lose *atomic.Bool) {
	defer to.Close()
	defer from.Close()
	_, _ = io.Copy(to, &lossy{from: from, lose: lose})
}

// lossy reads on but keeps nothing while lose is set.
type lossy struct {
	from io.Reader
	lose *atomic.Bool
}

func (l *lossy) Read(b []byte) (int, error) {
	for {
		n, err := l.from.Read(b)
		if err != nil || !l.lose.Load() {
			return n, err
		}
	}
}

// cut breaks every connection; new ones work.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
		delete(p.conns, conn)
	}
}

// heal lets everything pass, over new connections: what was lost on the way has torn the old ones.
func (p *proxy) heal() {
	p.deaf.Store(false)
	p.mute.Store(false)
	p.cut()
}
