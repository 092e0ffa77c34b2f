package juliu_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"juliu/pkg/audit"
	"juliu/pkg/stream"
)

// database is a PostgreSQL server with an empty database.
type database struct {
	container *testcontainers.DockerContainer
	url       string
}

// newDatabase starts the image that deploy/compose/postgres.yml names. Without Docker the test is skipped on a developer's machine.
func newDatabase(t *testing.T) *database {
	t.Helper()
	d, err := startDatabase(t)
	switch {
	case err == nil:
	case os.Getenv("JULIU_REQUIRE_CONTAINERS") != "":
		t.Fatalf("containers are required here (JULIU_REQUIRE_CONTAINERS) and cannot run: %v", err)
	default:
		t.Skipf("containers cannot run here: %v", err)
	}
	return d
}

func startDatabase(t *testing.T) (*database, error) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "../../scripts/local-images.sh", "postgres").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	_ = os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true") //nolint:usetesting // testcontainers reads it once
	if _, err := net.InterfaceByName("docker0"); err == nil && os.Getenv("TESTCONTAINERS_HOST_OVERRIDE") == "" {
		_ = os.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "localhost") //nolint:usetesting // testcontainers reads it once
	}
	compose, err := os.ReadFile("../../deploy/compose/postgres.yml")
	if err != nil {
		return nil, err
	}
	image := os.Getenv("POSTGRES_IMAGE")
	if image == "" {
		image = string(regexp.MustCompile(`\$\{POSTGRES_IMAGE:-(.+)\}`).FindSubmatch(compose)[1])
	}
	c, err := testcontainers.Run(t.Context(), image,
		testcontainers.WithExposedPorts("5432/tcp"),
		testcontainers.WithEnv(map[string]string{"POSTGRES_USER": "juliu", "POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "juliu"}),
		testcontainers.WithCmd("postgres", "-c", "fsync=off"),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.PortBindings = mobynet.PortMap{mobynet.MustParsePort("5432/tcp"): {{HostIP: netip.IPv4Unspecified()}}}
		}),
		testcontainers.WithWaitStrategy(
			wait.ForLog("database system is ready to accept connections").WithOccurrence(2).WithStartupTimeout(2*time.Minute)),
	)
	if c != nil {
		t.Cleanup(func() { _ = testcontainers.TerminateContainer(c, testcontainers.StopTimeout(0)) })
	}
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	endpoint, err := c.PortEndpoint(t.Context(), "5432/tcp", "")
	return &database{container: c, url: "postgres://juliu:secret@" + endpoint + "/juliu?sslmode=disable"}, err
}

// change runs SQL.
func (d *database) change(t *testing.T, sql string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "exec", d.container.GetContainerID(),
		"psql", "-U", "juliu", "-d", "juliu", "-At", "-c", sql).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", sql, err, out)
	}
}

// loaded waits until the loaders have written everything.
func (g *ground) loaded(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		snap, err := stream.TakeSnapshot(t.Context(), g.conn)
		if err != nil {
			t.Fatal(err)
		}
		if snap.Lag() == 0 && snap.Records > 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the loaders lag %d records behind", snap.Lag())
		case <-ticker.C:
		}
	}
}

// sequences maps the key of each record that was modified before a time to its newest record.
func (g *ground) sequences(t *testing.T, before time.Time) map[string]uint64 {
	t.Helper()
	all := map[string]uint64{}
	if err := stream.ReadHeads(t.Context(), g.conn, stream.ReadOptions{Source: "main"}, func(h stream.Head) error {
		if h.Version.Modified.Before(before) {
			all[h.Key] = h.Sequence
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// drop deletes records from the stream.
func (g *ground) drop(t *testing.T, sequences ...uint64) {
	t.Helper()
	s, err := g.conn.JetStream().Stream(t.Context(), stream.Stream)
	if err != nil {
		t.Fatal(err)
	}
	for _, sequence := range sequences {
		if err := s.DeleteMsg(t.Context(), sequence); err != nil {
			t.Fatal(err)
		}
	}
}

// audit runs an audit of everything and returns the exit code and the report.
func (g *ground) audit(t *testing.T, args ...string) (int, audit.Report) {
	t.Helper()
	code, out, errs := g.juliu(t.Context(), append([]string{"audit", "--from", "80h", "--output", "json"}, args...)...)
	var report audit.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	return code, report
}

// named are the keys of differences, as "kind in key", in order.
func named(differences []audit.Difference) []string {
	var all []string
	for _, d := range differences {
		all = append(all, fmt.Sprintf("%s in %s: %s", d.Kind, d.In, d.Key))
	}
	slices.Sort(all)
	return all
}
