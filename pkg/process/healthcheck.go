package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// healthcheckTimeout is more than a /readyz may take and less than a container's own limit.
const healthcheckTimeout = checkTimeout + time.Second

// ErrNotReady means that the process answered but is not ready.
var ErrNotReady = errors.New("not ready")

// Healthcheck asks a process on this host, which listens on addr (the value of its HTTP_ADDR), whether it is ready. Nil means it is;
// ErrNotReady carries what the process says; any other error means that it did not answer. It takes at most 4 s.
func Healthcheck(ctx context.Context, addr string) error {
	if addr == NoHTTP {
		return fmt.Errorf("check health: HTTP_ADDR is %q, so nothing listens; set it to an address such as %s", NoHTTP, DefaultHTTPAddr)
	}
	url, err := readyURL(addr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	// A transport of its own: no proxy from the environment stands between a process and its own host.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("check health: %w; start the service, or set HTTP_ADDR to where it listens", err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("check health: %w: %s", ErrNotReady, strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "; "))
	}
	return nil
}

// readyURL is where a process that listens on addr is asked from its own host.
func readyURL(addr string) (string, error) {
	if addr == "" {
		addr = DefaultHTTPAddr
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("check health: HTTP_ADDR is not host:port: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/readyz", nil
}
