package embednats_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"juliu/pkg/stream"
)

// authority signs certificates; its own stands in file.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(tb testing.TB) authority {
	tb.Helper()
	a := authority{
		certificate: &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		},
		key: newKey(tb), file: filepath.Join(folder(tb), "ca.pem"),
	}
	der, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, &a.key.PublicKey, a.key)
	if err != nil {
		tb.Fatal(err)
	}
	writePEM(tb, a.file, "CERTIFICATE", der)
	return a
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func writePEM(tb testing.TB, path, kind string, der []byte) {
	tb.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// sign makes a certificate for an address of this machine, or for a name, and returns its file and its key's.
func (a authority) sign(tb testing.TB, name string) (string, string) {
	tb.Helper()
	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if address := net.ParseIP(name); address != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{address}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	dir := folder(tb)
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePEM(tb, certFile, "CERTIFICATE", der)
	writePEM(tb, keyFile, "EC PRIVATE KEY", private)
	return certFile, keyFile
}

// serveTLS runs a server with a certificate for name and returns its host and port; mutual asks for a client's certificate, first speaks
// TLS before anything else.
func serveTLS(tb testing.TB, a authority, name string, mutual, first bool) string {
	tb.Helper()
	certFile, keyFile := a.sign(tb, name)
	config, err := server.GenTLSConfig(&server.TLSConfigOpts{CertFile: certFile, KeyFile: keyFile, CaFile: a.file, Verify: mutual})
	if err != nil {
		tb.Fatal(err)
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, Username: "me", Password: "s3cret",
		TLSConfig: config, TLSTimeout: 1, TLSHandshakeFirst: first,
	})
	if err != nil {
		tb.Fatal(err)
	}
	s.Start()
	tb.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		tb.Fatal("the server does not start")
	}
	return s.Addr().String()
}

func TestAConnectionNeedsTheServersOwnAuthority(t *testing.T) {
	t.Parallel()
	own, other := newAuthority(t), newAuthority(t)
	plain, mutual := serveTLS(t, own, "127.0.0.1", false, false), serveTLS(t, own, "127.0.0.1", true, false)
	first, elsewhere := serveTLS(t, own, "127.0.0.1", false, true), serveTLS(t, own, "nats.example", false, false)
	certFile, keyFile := own.sign(t, "client")
	wrongCert, wrongKey := other.sign(t, "client")
	const user = "me:s3cret@"
	begins := filepath.Join(folder(t), "first.json")
	if err := os.WriteFile(begins, []byte(`{"url":"tls://`+user+first+`","tls_first":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cfg  stream.Config
		says string // "" connects
	}{
		"the right authority":                        {stream.Config{URL: "tls://" + user + plain, CA: own.file}, ""},
		"the right authority, no word of TLS":        {stream.Config{URL: "nats://" + user + plain, CA: own.file}, ""},
		"the right authority and certificate":        {stream.Config{URL: "tls://" + user + mutual, CA: own.file, Cert: certFile, Key: keyFile}, ""},
		"another authority":                          {stream.Config{URL: "tls://" + user + plain, CA: other.file}, "set NATS_CA"},
		"another authority, no word of TLS":          {stream.Config{URL: "nats://" + user + plain, CA: other.file}, "set NATS_CA"},
		"no authority":                               {stream.Config{URL: "tls://" + user + plain}, "set NATS_CA"},
		"neither TLS nor authority":                  {stream.Config{URL: "nats://" + user + plain}, "set NATS_CA"},
		"a certificate of another name":              {stream.Config{URL: "tls://" + user + elsewhere, CA: own.file}, "set NATS_CA"},
		"no client's certificate":                    {stream.Config{URL: "tls://" + user + mutual, CA: own.file}, "NATS_CERT"},
		"a client's certificate of another's":        {stream.Config{URL: "tls://" + user + mutual, CA: own.file, Cert: wrongCert, Key: wrongKey}, "NATS_CERT"},
		"a certificate that is not the key's":        {stream.Config{URL: "tls://" + user + mutual, CA: own.file, Cert: certFile, Key: wrongKey}, "NATS_CERT"},
		"a file without an authority":                {stream.Config{URL: "tls://" + user + plain, CA: keyFile}, "NATS_CA"},
		"a context of a server that begins with TLS": {stream.Config{Context: begins, CA: own.file}, ""},
		"plaintext to a server that begins with TLS": {stream.Config{URL: "nats://" + user + first}, "tls_first"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := stream.Connect(t.Context(), tc.cfg, quiet())
			if err == nil {
				conn.Close()
			}
			if tc.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			failure, ok := errors.AsType[*stream.ConnectError](err)
			if !ok || (failure.ExitCode() != 2) != (tc.says == "tls_first") || !strings.Contains(err.Error(), tc.says) { // the last may only be starting
				t.Fatalf("got %v; want another exit code or %q", err, tc.says)
			}
			if text := err.Error(); strings.Contains(text, "s3cret") || strings.Contains(text, "\n") {
				t.Errorf("not one line, or a password: %s", text)
			}
		})
	}
}

// An eavesdropper who answers in the server's place, and says that he knows no TLS, must not be told the password.
func TestAConnectionThatWantsTLSTellsAPlainServerNothing(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t).file
	for name, cfg := range map[string]stream.Config{
		"a tls URL":    {URL: "tls://me:s3cret@"},
		"an authority": {URL: "nats://me:s3cret@", CA: ca},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var listen net.ListenConfig
			listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			heard := make(chan string, 100)
			go func() {
				defer close(heard)
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = io.WriteString(conn, `INFO {"server_id":"x","version":"2.12.0","max_payload":1048576}`+"\r\n")
					lines := bufio.NewScanner(conn)
					for lines.Scan() {
						heard <- lines.Text()
						_, _ = io.WriteString(conn, "+OK\r\nPONG\r\n")
					}
					_ = conn.Close()
				}
			}()
			cfg.URL += listener.Addr().String()
			conn, err := stream.Connect(t.Context(), cfg, quiet())
			if err == nil {
				conn.Close()
				t.Error("connected")
			}
			_ = listener.Close()
			for line := range heard {
				t.Errorf("told: %s", line)
			}
		})
	}
}
