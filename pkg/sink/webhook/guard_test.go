package webhook_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"juliu/pkg/record"
	"juliu/pkg/secret"
	"juliu/pkg/sink/webhook"
)

// resolver answers every question for an IPv4 address with the one that answer returns, from a name server of its own.
func resolver(t *testing.T, answer func() [4]byte) *net.Resolver {
	t.Helper()
	var listen net.ListenConfig
	server, err := listen.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { _ = server.Close(); <-ended })
	go func() {
		defer close(ended)
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			end := 12 // the header; then the name's labels, type and class
			for end < n && query[end] != 0 {
				end += int(query[end]) + 1
			}
			end += 5
			if end > n {
				continue
			}
			isIPv4 := query[end-3] == 1
			reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
			if isIPv4 {
				address := answer()
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				reply = append(reply, address[:]...)
			}
			_, _ = server.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// Each spelling leads to a listener on this machine, if it leads anywhere; all names are resolved to 127.0.0.1.
func TestNoSpellingOfAnInsideAddressIsDialled(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			hits.Add(1)
		}
	}, ReadHeaderTimeout: time.Second, ErrorLog: silent()}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	names := resolver(t, func() [4]byte { return [4]byte{127, 0, 0, 1} })
	for _, host := range []string{
		// Loopback, as itself and in the spellings that some resolvers and clients read.
		"127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0X7F.0X0.0X0.0X1",
		"0177.0.0.1", "0177.0.0.01", "017700000001", "127.0.0.1.", "127.0.0.0x1", "0", "0.0.0.0", "0.1", "127.0.0.1%2f", "127%2e0%2e0%2e1",
		"①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "localhost", "localhost.", "LOCALHOST", "app.localhost",
		// IPv6, and IPv4 within it.
		"[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0:0:0:0:0:ffff:127.0.0.1]",
		"[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fd00::1]", "[fec0::1]", "[ff02::1]", "[::ffff:0:127.0.0.1]",
		// Other insides, and metadata services.
		"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200", "169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "2852039166", "metadata.google.internal",
		"192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
		// Who is the host?
		"example.com@127.0.0.1", "example.com:80@127.0.0.1", "127.0.0.1#@example.com", `example.com\@127.0.0.1`, "127.0.0.1?@example.com", " 127.0.0.1", "127.0.0.1\t", "a.rebound.example",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			cfg := webhook.Config{URL: secret.New("https://" + host + ":" + port + "/"), Secret: secret.New(aSecret), Batch: 1}
			s, err := webhook.New(cfg)
			if err != nil {
				return
			}
			defer func() { _ = s.Close(t.Context()) }()
			s.Resolve(cfg, names)
			err = s.Write(t.Context(), []record.Record{order(t, 1, 1)})
			if means, _ := meaning(err); means != "pause" || !strings.Contains(err.Error(), "is not public") {
				t.Errorf("%s: %v; want a pause, because the address is not public", means, err)
			}
		})
	}
	t.Cleanup(func() {
		if n := hits.Load(); n != 0 {
			t.Errorf("%d connections reached this machine", n)
		}
	})
}

func TestPublicAddressesAreThoseOfTheInternet(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "169.253.255.255", "192.0.1.0", "198.17.255.255",
		"223.255.255.255", "::ffff:8.8.8.8", "2400:3200::1", "2001:4860:4860::8888", "2606:4700::1111", "2001:200::1",
	} {
		if !webhook.IsPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is not public", text)
		}
	}
	for _, text := range []string{
		"0.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.8",
		"192.0.2.1", "192.88.99.1", "192.168.0.0", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
		"240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "::8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1",
		"2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00::1",
		"fe80::1", "fec0::1", "ff02::1",
	} {
		if webhook.IsPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is public", text)
		}
	}
	if webhook.IsPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestANameThatChangesItsAddressIsCheckedAtEachConnection(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	url := serve(t, r.ServeHTTP)
	var last atomic.Uint32
	last.Store(1)
	cfg := config(strings.Replace(url, "127.0.0.1", "receiver.example", 1))
	cfg.Allow = "receiver.example"
	named := open(t, cfg)
	names := resolver(t, func() [4]byte { return [4]byte{127, 0, 0, byte(last.Load())} })
	named.Resolve(cfg, names)
	listed := cfg
	listed.URL, listed.Allow = secret.New(strings.Replace(cfg.URL.Reveal(), "http:", "https:", 1)), "127.0.0.1"
	other := open(t, listed)
	other.Resolve(listed, names)

	event := []record.Record{order(t, 1, 1)}
	if err := named.Write(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	if err := other.Write(t.Context(), event); err == nil || strings.Contains(err.Error(), "not public") {
		t.Errorf("an address that is listed: %v, want it dialled", err)
	}
	last.Store(2)
	err := other.Write(t.Context(), event)
	if means, _ := meaning(err); means != "pause" || !strings.Contains(err.Error(), "127.0.0.2 is not public: list the host") {
		t.Errorf("%s: %v; want a pause, because the name leads elsewhere now", means, err)
	}
}

func TestAllowOpensWhatItListsAndNoMore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		url, allow string
		part       webhook.Part
		fault      string
	}{
		"https to a public name":                 {"https://erp.example/juliu", "", "", ""},
		"https to a public address":              {"https://8.8.8.8/", "", "", ""},
		"https to a public address, mapped":      {"https://[::ffff:8.8.8.8]/", "", "", ""},
		"http to a public name":                  {"http://erp.example/", "", webhook.PartURL, "is not https"},
		"http to a public address":               {"http://8.8.8.8/", "", webhook.PartURL, "is not https"},
		"http to a name that is listed":          {"http://erp.example/", "other, ERP.example.", "", ""},
		"http to another name":                   {"http://erp.example.com/", "erp.example", webhook.PartURL, "is not https"},
		"http to this machine":                   {"http://127.0.0.1:9000/", "", webhook.PartURL, "is not https"},
		"https to this machine":                  {"https://127.0.0.1:9000/", "", webhook.PartURL, "names an address that is not public"},
		"this machine, listed":                   {"http://127.0.0.1:9000/", "127.0.0.1", "", ""},
		"this machine, listed by name":           {"http://localhost:9000/", "localhost", "", ""},
		"an inside address in a network":         {"http://10.1.2.3/", "10.1.0.0/16", "", ""},
		"an inside address in another network":   {"https://10.2.2.3/", "10.1.0.0/16", webhook.PartURL, "names an address that is not public"},
		"an inside IPv6 address":                 {"http://[fd00::7]/", "fd00::/64", "", ""},
		"an inside IPv6 address, listed":         {"http://[fd00::7]/", "[fd00::7]", "", ""},
		"a mapped address in a network":          {"http://[::ffff:10.1.2.3]/", "10.1.0.0/16", "", ""},
		"metadata, listed":                       {"http://169.254.169.254/", "169.254.0.0/16", "", ""},
		"a URL with a user":                      {"https://u:p@erp.example/", "", webhook.PartURL, "holds a user or a password"},
		"a URL with a fragment":                  {"https://erp.example/#a", "", webhook.PartURL, "has a part behind #, which is never sent"},
		"a URL of another scheme":                {"ftp://erp.example/", "", webhook.PartURL, "has a scheme that cannot be used"},
		"a URL without a scheme":                 {"erp.example/juliu", "", webhook.PartURL, "is not an absolute URL"},
		"a URL without a host":                   {"https:///juliu", "", webhook.PartURL, "is not an absolute URL"},
		"no URL":                                 {" ", "", webhook.PartURL, "is not set"},
		"a name in other letters":                {"https://例子.example/", "", webhook.PartURL, "has a host that is neither a name nor an IP address in its usual form"},
		"a list with a URL":                      {"https://erp.example/", "http://erp.example", webhook.PartAllow, "holds something that is neither a host nor a network"},
		"a list with a star":                     {"https://erp.example/", "*.example", webhook.PartAllow, "holds something that is neither a host nor a network"},
		"a list with a port":                     {"https://erp.example/", "erp.example:80", webhook.PartAllow, "holds something that is neither a host nor a network"},
		"a list with a network that is none":     {"https://erp.example/", "10.0.0.0/33", webhook.PartAllow, "holds something that is neither a host nor a network"},
		"a list with a network of mapped IPv4":   {"https://erp.example/", "::ffff:10.0.0.0/104", webhook.PartAllow, "holds something that is neither a host nor a network"},
		"a list with an address of odd spelling": {"https://erp.example/", "0x7f.1", webhook.PartAllow, "holds something that is neither a host nor a network"},
		"a list with empty places":               {"https://erp.example/", " , erp.internal,, 10.0.0.0/8 ,", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := webhook.Config{URL: secret.New(test.url), Secret: secret.New(aSecret), Allow: test.allow, Batch: 1}.Check()
			switch {
			case test.part == "" && len(wrong) == 0:
			case len(wrong) != 1 || wrong[0].Part != test.part || wrong[0].Fault != test.fault || wrong[0].Remedy == "":
				t.Errorf("wrong is %v, want %s %s", wrong, test.part, test.fault)
			}
		})
	}
}

func TestANameThatLeadsInsideIsNotDialled(t *testing.T) {
	t.Parallel()
	s := open(t, webhook.Config{URL: secret.New("https://localhost:1/"), Secret: secret.New(aSecret), Batch: 1})
	err := s.Write(t.Context(), []record.Record{order(t, 1, 1)})
	if means, _ := meaning(err); means != "pause" || !strings.Contains(err.Error(), "is not public") {
		t.Errorf("%s: %v; want a pause, because the address is not public", means, err)
	}
}

func TestAHostThatIsListedStandsForItsPrivateAddressesOnly(t *testing.T) {
	t.Parallel()
	cfg := webhook.Config{URL: secret.New("https://receiver.example/"), Secret: secret.New(aSecret), Allow: "receiver.example", Batch: 1}
	for _, address := range [][4]byte{{169, 254, 169, 254}, {100, 100, 100, 200}, {0, 0, 0, 0}, {224, 0, 0, 1}} {
		s := open(t, cfg)
		s.Resolve(cfg, resolver(t, func() [4]byte { return address }))
		err := s.Write(t.Context(), []record.Record{order(t, 1, 1)})
		if means, _ := meaning(err); means != "pause" || !strings.Contains(err.Error(), "is not public") {
			t.Errorf("%v: %s, %v; want a pause, because the address is not public", address, means, err)
		}
	}
}
