package postgres_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"juliu/pkg/record"
	"juliu/pkg/sink"
	"juliu/pkg/sink/postgres/postgrestest"
	"juliu/pkg/sink/sinktest"
	jushuitanv1 "juliu/proto/jushuitan/v1"
)

func TestTheContractIsKept(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t *testing.T) sinktest.Subject {
		t.Helper()
		_, direct := database(t) // with the tables
		postgrestest.Execute(t, direct, "ALTER TABLE juliu.sales_out_order ADD CONSTRAINT no_13 CHECK (o_id <> 13)")
		between := startProxy(t, postgrestest.Start(t).Address)
		url := between.url(direct)
		return sinktest.Subject{
			Sink: open(t, url), Keeps: sinktest.Newest,
			Read:       func(t *testing.T) []sinktest.Stored { t.Helper(); return stored(t, direct) },
			Reject:     breakConstraint,
			Down:       func(*testing.T) func() { between.cut(); return between.restore },
			LoseAnswer: func(*testing.T) { between.loseCommit() },
			Second:     func(t *testing.T) sink.Sink { t.Helper(); return open(t, url) },
		}
	})
}

// breakConstraint makes a record that the table refuses.
func breakConstraint(r record.Record) record.Record {
	changed := &jushuitanv1.SalesOutOrder{}
	proto.Merge(changed, r.Payload)
	changed.OId = proto.Int64(13)
	r.Payload = changed
	return r
}

// proxy stands between a sink and the server and breaks what passes through it.
type proxy struct {
	listener net.Listener
	server   string

	mu sync.Mutex
	// open are the connections of both sides.
	open map[net.Conn]bool
	// down closes what is open and whatever comes.
	down bool
	// losing swallows the server's next answer to COMMIT, and ends the connection.
	losing bool
}

func startProxy(t *testing.T, server string) *proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, server: server, open: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	t.Cleanup(func() {
		_ = listener.Close()
		p.cut()
		serving.Wait()
	})
	return p
}

// url is that of a database, through the proxy.
func (p *proxy) url(direct string) string {
	return string(bytes.Replace([]byte(direct), []byte(p.server), []byte(p.listener.Addr().String()), 1))
}

func (p *proxy) serve(serving *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).Dial("tcp", p.server)
		if err != nil || !p.admit(client, server) {
			_ = client.Close()
			continue
		}
		serving.Go(func() { defer p.end(client, server); _, _ = io.Copy(server, client) })
		serving.Go(func() { defer p.end(client, server); p.answer(client, server) })
	}
}

// answer passes on what the server says.
func (p *proxy) answer(client io.Writer, server io.Reader) {
	block := make([]byte, 32<<10)
	for {
		n, err := server.Read(block)
		if err != nil || p.loses(block[:n]) {
			return
		}
		if _, err := client.Write(block[:n]); err != nil {
			return
		}
	}
}

// loses reports that this is the answer to lose: CommandComplete of COMMIT, a few bytes that come at once.
func (p *proxy) loses(block []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.losing || !bytes.Contains(block, []byte("COMMIT\x00")) {
		return false
	}
	p.losing = false
	return true
}

func (p *proxy) loseCommit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losing = true
}

func (p *proxy) admit(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		_ = conns[1].Close()
		return false
	}
	for _, conn := range conns {
		p.open[conn] = true
	}
	return true
}

func (p *proxy) end(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
		delete(p.open, conn)
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for conn := range p.open {
		_ = conn.Close()
	}
}

func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}
