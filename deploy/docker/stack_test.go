package docker_test

import (
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	mobynet "github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
)

// root is the repository, seen from this folder.
const root = "../.."

// stack is the pair with its surroundings, each in a container of its own as in docker-compose.yml.
type stack struct {
	nats, sandbox, extractor, loader *testcontainers.DockerContainer
}

// startStack starts everything on a network of its own and removes it when the test ends.
func startStack(t *testing.T) stack {
	t.Helper()
	net, err := network.New(t.Context())
	testcontainers.CleanupNetwork(t, net)
	if err != nil {
		t.Fatalf("create network: %v", err)
	}
	start := func(name, image string, options ...testcontainers.ContainerCustomizer) *testcontainers.DockerContainer {
		t.Helper()
		return run(t, name, image, append(options, network.WithNetwork([]string{name}, net))...)
	}
	onNATS := testcontainers.WithEnv(map[string]string{"NATS_URL": "nats://nats:4222"})
	var s stack
	s.nats = start("nats", natsImage(t), serving("/healthz", "4222/tcp", "8222/tcp"), withConf(t))
	s.sandbox = start("sandbox", "juliu/juliu:test", serving("/__sandbox/", "8090/tcp"),
		testcontainers.WithCmd("sandbox", "--listen", ":8090", "--orders", "300", "--traffic", "2"))
	provision := start("provision", "juliu/juliu:test", onNATS,
		testcontainers.WithCmd("provision"), testcontainers.WithWaitStrategy(wait.ForExit().WithExitTimeout(time.Minute)))
	if code := exitCode(t, provision); code != 0 {
		t.Fatalf("provision: exit code %d", code)
	}
	s.extractor = start("extractor", "juliu/extractor:test", onNATS, serving("/readyz", "8080/tcp"),
		testcontainers.WithEnv(map[string]string{
			"JST_BASE_URL": "http://sandbox:8090",
			// The vendor's published test credentials, which the sandbox accepts.
			"JST_APP_KEY": "b0b7d1db226d4216a3d58df9ffa2dde5", "JST_APP_SECRET": "99c4cef262f34ca882975a7064de0b87",
			"JST_ACCESS_TOKEN": "b7e3b1e24e174593af8ca5c397e53dad",
			"EXTRACTOR_START":  "96h", "EXTRACTOR_STATUS": "all",
			"EXTRACTOR_INTERVAL": "2s", "EXTRACTOR_SETTLE": "1s", "EXTRACTOR_OVERLAP": "90s",
		}))
	s.loader = start("loader", "juliu/loader:test", onNATS, serving("/readyz", "8080/tcp"))
	return s
}

// run starts one container, hardened as in docker-compose.yml. Its log is shown when the test fails.
func run(t *testing.T, name, image string, options ...testcontainers.ContainerCustomizer) *testcontainers.DockerContainer {
	t.Helper()
	options = append(options,
		testcontainers.WithLogger(log.TestLogger(t)),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			// NATS gets its configuration copied in, which a read-only root refuses.
			c.ReadonlyRootfs = name != "nats"
			c.CapDrop = []string{"ALL"}
			c.SecurityOpt = []string{"no-new-privileges:true"}
			c.PortBindings = onIPv4("4222/tcp", "8222/tcp", "8090/tcp", "8080/tcp")
		}))
	c, err := testcontainers.Run(t.Context(), image, options...)
	testcontainers.CleanupContainer(t, c)
	if c != nil {
		t.Cleanup(func() { showLog(t, name, c) })
	}
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	return c
}

// onIPv4 publishes the ports of them that a container exposes. IPv6 would be given another port, and which of the two a container
// is said to have is then a matter of luck.
func onIPv4(ports ...string) mobynet.PortMap {
	bindings := mobynet.PortMap{}
	for _, port := range ports {
		bindings[mobynet.MustParsePort(port)] = []mobynet.PortBinding{{HostIP: netip.IPv4Unspecified(), HostPort: "0"}}
	}
	return bindings
}

func showLog(t *testing.T, name string, c *testcontainers.DockerContainer) {
	t.Helper()
	if !t.Failed() {
		return
	}
	logs, err := c.Logs(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Logf("read the log of %s: %v", name, err)
		return
	}
	defer func() { _ = logs.Close() }()
	text, err := io.ReadAll(logs)
	t.Logf("log of %s (%v):\n%s", name, err, text[max(0, len(text)-8<<10):])
}

// serving publishes the ports and waits until the last of them answers 200 on path.
func serving(path string, ports ...string) testcontainers.CustomizeRequestOption {
	return func(request *testcontainers.GenericContainerRequest) error {
		request.ExposedPorts = ports
		request.WaitingFor = wait.ForHTTP(path).WithPort(ports[len(ports)-1]).WithStartupTimeout(time.Minute)
		return nil
	}
}

func withConf(t *testing.T) testcontainers.CustomizeRequestOption {
	t.Helper()
	conf, err := filepath.Abs(root + "/deploy/nats/nats.conf")
	if err != nil {
		t.Fatal(err)
	}
	return testcontainers.WithFiles(testcontainers.ContainerFile{
		Reader: nil, HostFilePath: conf, ContainerFilePath: "/etc/nats/nats-server.conf", FileMode: 0o444,
	})
}

// natsImage is the image that docker-compose.yml names.
func natsImage(t *testing.T) string {
	t.Helper()
	compose, err := os.ReadFile(root + "/docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`\$\{NATS_IMAGE:-(.+)\}`).FindSubmatch(compose)
	if found == nil {
		t.Fatal("docker-compose.yml names no NATS image")
	}
	return string(found[1])
}
