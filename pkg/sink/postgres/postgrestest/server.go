// Package postgrestest runs PostgreSQL in a container for the tests of a package: one server for each test binary, one database for each
// test. A test binary that uses it has
//
//	func TestMain(m *testing.M) { postgrestest.Main(m) }
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/api/types/container"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

// Password is that of the server's user juliu. It is also the canary of the secrets: nothing may show it.
const Password = "canary-p4ssw0rd"

// Server is the PostgreSQL server of this test binary.
type Server struct {
	// Container may be stopped and started; the server keeps its port.
	Container *testcontainers.DockerContainer
	// Address is host and port.
	Address string
}

var (
	started = sync.OnceValues(start)
	// isStarted tells Main whether there is a server to remove.
	isStarted atomic.Bool
	databases atomic.Int64
)

// Main runs the tests, removes the server if one was started, and exits.
func Main(m *testing.M) {
	code := m.Run()
	Remove()
	os.Exit(code)
}

// Remove is for a TestMain that does other things too: call it after the tests.
func Remove() {
	if !isStarted.Load() {
		return
	}
	s, err := started()
	if s != nil && s.Container != nil {
		err = testcontainers.TerminateContainer(s.Container, testcontainers.StopTimeout(0))
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "remove the PostgreSQL server:", err)
	}
}

// Start returns the server, which it starts at first use. Without Docker it ends the test: skipped on a developer's machine, failed in
// CI.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s, err := started()
	switch {
	case err == nil:
	case os.Getenv("JULIU_REQUIRE_CONTAINERS") != "":
		tb.Fatalf("containers are required here (JULIU_REQUIRE_CONTAINERS) and cannot run: %v", err)
	default:
		tb.Skipf("containers cannot run here: %v", err)
	}
	return s
}

// URL names a database as a user.
func (s *Server) URL(user, password, database string) string {
	return "postgres://" + user + ":" + password + "@" + s.Address + "/" + database + "?sslmode=disable"
}

// Database creates an empty database and returns its URL.
func Database(tb testing.TB) string {
	tb.Helper()
	s := Start(tb)
	name := "test_" + strconv.FormatInt(databases.Add(1), 10)
	Execute(tb, s.URL("juliu", Password, "juliu"), "CREATE DATABASE "+name)
	return s.URL("juliu", Password, name)
}

// Execute runs SQL.
func Execute(tb testing.TB, url, sql string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(tb.Context()) }()
	if _, err := conn.Exec(tb.Context(), sql); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

// Ask returns the one value of a query.
func Ask[T any](tb testing.TB, url, sql string, args ...any) T {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(tb.Context()) }()
	var value T
	if err := conn.QueryRow(tb.Context(), sql, args...).Scan(&value); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return value
}

// start starts the image that deploy/compose/postgres.yml names, on a port that it keeps when it is started again.
func start() (*Server, error) {
	isStarted.Store(true)
	root, err := repository()
	if err != nil {
		return nil, err
	}
	image, err := prepareEngine(root)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	c, err := testcontainers.Run(context.Background(), image,
		testcontainers.WithExposedPorts("5432/tcp"),
		testcontainers.WithEnv(map[string]string{"POSTGRES_USER": "juliu", "POSTGRES_PASSWORD": Password, "POSTGRES_DB": "juliu"}),
		testcontainers.WithCmd("postgres", "-c", "max_connections=300", "-c", "fsync=off"),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.PortBindings = mobynet.PortMap{
				mobynet.MustParsePort("5432/tcp"): {{HostIP: netip.IPv4Unspecified(), HostPort: port}},
			}
		}),
		testcontainers.WithWaitStrategy(
			wait.ForLog("database system is ready to accept connections").WithOccurrence(2).WithStartupTimeout(2*time.Minute)),
	)
	s := &Server{Container: c}
	if err != nil {
		return s, fmt.Errorf("start PostgreSQL: %w", err)
	}
	host, err := c.Host(context.Background())
	s.Address = net.JoinHostPort(host, port)
	return s, err
}

// prepareEngine makes testcontainers fit the Docker engine at hand and returns the name of the image, which is there.
func prepareEngine(root string) (string, error) {
	out, err := exec.CommandContext(context.Background(), root+"/scripts/local-images.sh", "postgres").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	// Its reaper would be one more image; TestMain removes the container.
	_ = os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	// Inside a container testcontainers takes the engine to be outside of it. Where the engine's bridge is an interface of our own, it
	// runs beside us, and published ports are on localhost.
	if _, err := net.InterfaceByName("docker0"); err == nil && os.Getenv("TESTCONTAINERS_HOST_OVERRIDE") == "" {
		_ = os.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "localhost")
	}
	compose, err := os.ReadFile(root + "/deploy/compose/postgres.yml")
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`\$\{POSTGRES_IMAGE:-(.+)\}`).FindSubmatch(compose)
	if found == nil {
		return "", errors.New("deploy/compose/postgres.yml names no PostgreSQL image")
	}
	if own := os.Getenv("POSTGRES_IMAGE"); own != "" {
		return own, nil
	}
	return string(found[1]), nil
}

// repository is the folder with go.mod, at or above the test's own.
func repository() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		if filepath.Dir(folder) == folder {
			return "", errors.New("no go.mod at or above the test")
		}
		folder = filepath.Dir(folder)
	}
}
