package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/moby/moby/api/types/container"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"juliu/pkg/secret"
	"juliu/pkg/sink/postgres"
)

const (
	// root is the repository, seen from this folder.
	root = "../../.."
	// password is also the canary of the secrets: no error may show it.
	password = "canary-p4ssw0rd"
)

// server is the PostgreSQL server of this test binary; every test has a database of its own on it.
type server struct {
	container *testcontainers.DockerContainer
	address   string
}

var (
	started = sync.OnceValues(startServer)
	// isStarted tells TestMain whether there is a server to remove.
	isStarted atomic.Bool
	databases atomic.Int64
)

func TestMain(m *testing.M) {
	code := m.Run()
	if isStarted.Load() {
		s, err := started()
		if s != nil && s.container != nil {
			err = testcontainers.TerminateContainer(s.container, testcontainers.StopTimeout(0))
		}
		if err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "remove the PostgreSQL server:", err)
		}
	}
	os.Exit(code)
}

// startServer starts the image that deploy/compose/postgres.yml names, on a port that it keeps when it is started again.
func startServer() (*server, error) {
	isStarted.Store(true)
	image, err := prepareEngine()
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
		testcontainers.WithEnv(map[string]string{"POSTGRES_USER": "juliu", "POSTGRES_PASSWORD": password, "POSTGRES_DB": "juliu"}),
		testcontainers.WithCmd("postgres", "-c", "max_connections=300", "-c", "fsync=off"),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.PortBindings = mobynet.PortMap{
				mobynet.MustParsePort("5432/tcp"): {{HostIP: netip.IPv4Unspecified(), HostPort: port}},
			}
		}),
		testcontainers.WithWaitStrategy(
			wait.ForLog("database system is ready to accept connections").WithOccurrence(2).WithStartupTimeout(2*time.Minute)),
	)
	s := &server{container: c}
	if err != nil {
		return s, fmt.Errorf("start PostgreSQL: %w", err)
	}
	host, err := c.Host(context.Background())
	s.address = net.JoinHostPort(host, port)
	return s, err
}

// prepareEngine makes testcontainers fit the Docker engine at hand and returns the name of the image, which is there.
func prepareEngine() (string, error) {
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

// theServer is the server, or the end of the test for want of Docker: skipped on a developer's machine, failed in CI.
func theServer(tb testing.TB) *server {
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

// url names a database as a user.
func (s *server) url(user, password, database string) string {
	return "postgres://" + user + ":" + password + "@" + s.address + "/" + database + "?sslmode=disable"
}

// emptyDatabase creates a database and returns its URL.
func emptyDatabase(tb testing.TB) string {
	tb.Helper()
	s := theServer(tb)
	name := "test_" + strconv.FormatInt(databases.Add(1), 10)
	execute(tb, s.url("juliu", password, "juliu"), "CREATE DATABASE "+name)
	return s.url("juliu", password, name)
}

// database is an open sink on a database of its own, and the database's URL.
func database(tb testing.TB) (*postgres.Sink, string) {
	tb.Helper()
	url := emptyDatabase(tb)
	return open(tb, url), url
}

func open(tb testing.TB, url string) *postgres.Sink {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), postgres.Config{URL: secret.New(url), Connections: 4})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close(context.WithoutCancel(tb.Context())) })
	return s
}

// connect is a connection of the test's own.
func connect(tb testing.TB, url string) *pgxpool.Pool {
	tb.Helper()
	pool, err := pgxpool.New(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

func execute(tb testing.TB, url, sql string) {
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

// ask returns the one value of a query.
func ask[T any](tb testing.TB, url, sql string, args ...any) T {
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

// await asks again until there is no error, at most half a minute long.
func await(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("waited in vain: %s: %v", what, err)
		case <-tick.C:
		}
	}
}
