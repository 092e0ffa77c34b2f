package rig

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"juliu/pkg/chaos"
	"juliu/pkg/jushuitan/sandbox"
)

const (
	receiving = "receiver"
	// stopPatience is how long a process may take to stop when asked.
	stopPatience = 20 * time.Second
)

// fleet is everything that runs.
type fleet struct {
	o       Options
	secrets map[string]string // by the name of the file that holds it
	ports   map[string]int
	links   map[string]*link
	daemons map[string]*daemon
	data    *database // nil with a webhook

	group sync.WaitGroup
}

func extractors() []string { return []string{"extractor-1", "extractor-2"} }

func services() []string { return append(extractors(), loaders()...) }

// newFleet prepares folders, secrets, ports and links; nothing runs yet.
func newFleet(ctx context.Context, o Options) (*fleet, error) {
	f := &fleet{o: o, ports: map[string]int{}, links: map[string]*link{}, daemons: map[string]*daemon{}}
	for _, name := range append(services(), broker, vendor, target) {
		port, err := freePort(ctx)
		if err != nil {
			return nil, err
		}
		f.ports[name] = port
	}
	for _, name := range services() {
		if err := f.link(ctx, "link of "+name, f.ports[broker]); err != nil {
			return nil, err
		}
	}
	return f, errors.Join(f.link(ctx, linkVendor, f.ports[vendor]), f.link(ctx, linkSink, f.ports[target]), f.keepSecrets())
}

func (f *fleet) link(ctx context.Context, name string, port int) error {
	l, err := newLink(context.WithoutCancel(ctx), at(port))
	f.links[name] = l
	return err
}

// keepSecrets makes the secrets of a run and puts each into a file.
func (f *fleet) keepSecrets() error {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	hook := fmt.Sprintf("http://%s/hook", f.links[linkSink].address())
	password := rand.Text()
	f.secrets = map[string]string{
		"nats-token": rand.Text(), "app-secret": sandbox.DefaultAppSecret, "access-token": sandbox.DefaultAccessToken,
		"refresh-token": sandbox.DefaultRefreshToken, "webhook-secret": "whsec_" + base64.StdEncoding.EncodeToString(key), "password": password,
	}
	files := map[string]string{
		"webhook-url":  hook,
		"postgres-url": fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", databaseUser, password, f.links[linkSink].address(), databaseUser),
		"postgres-env": fmt.Sprintf("POSTGRES_USER=%s\nPOSTGRES_DB=%s\nPOSTGRES_PASSWORD=%s\n", databaseUser, databaseUser, password),
	}
	maps.Copy(files, f.secrets)
	for _, folder := range []string{f.path("secrets"), f.path(chaos.OutputFolder)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("make the folder of the run: %w", err)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(f.path("secrets", name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("keep a secret: %w", err)
		}
	}
	return nil
}

func (f *fleet) path(parts ...string) string {
	return filepath.Join(append([]string{f.o.Dir}, parts...)...)
}

// url is where the server is by way of an address.
func (f *fleet) url(address string) string {
	return "nats://" + f.secrets["nats-token"] + "@" + address
}

// start starts all, the readers of the ERP last, so that nothing is written before the trigger notes it.
func (f *fleet) start(ctx context.Context) error {
	self := func(args ...string) []string { return append([]string{f.o.Self}, args...) }
	rates := vendorRates()
	err := errors.Join(
		f.add(ctx, broker, nil, self("nats", "--dir", f.path("nats"), "--port", strconv.Itoa(f.ports[broker]), "--token-file", f.path("secrets", "nats-token"))...),
		f.add(ctx, vendor, nil, self("erp", "--listen", at(f.ports[vendor]), "--seed", strconv.FormatUint(f.o.Seed, 10), "--orders", strconv.Itoa(f.o.Orders),
			"--traffic", fmt.Sprint(f.o.Traffic), "--late", late.String(), "--rate-per-second", strconv.Itoa(rates[0]), "--rate-per-minute", strconv.Itoa(rates[1]))...),
	)
	for _, name := range extractors() {
		err = errors.Join(err, f.add(ctx, name, f.extractorEnv(name), filepath.Join(f.o.Bin, "extractor")))
	}
	for _, name := range loaders() {
		err = errors.Join(err, f.add(ctx, name, f.loaderEnv(name), filepath.Join(f.o.Bin, "loader")))
	}
	if err != nil {
		return err
	}
	f.daemons[broker].up()
	f.daemons[vendor].up()
	if err := f.provision(ctx); err != nil {
		return err
	}
	if err := f.startSink(ctx); err != nil {
		return err
	}
	for _, name := range extractors() {
		f.daemons[name].up()
	}
	return nil
}

// startSink starts the sink and the loaders, and has the database note what is written.
func (f *fleet) startSink(ctx context.Context) error {
	if f.o.Sink == chaos.Webhook {
		err := f.add(ctx, receiving, nil, f.o.Self, "receiver", "--listen", at(f.ports[target]), "--log", f.path(chaos.RequestsFile))
		if err != nil {
			return err
		}
		f.daemons[receiving].up()
		f.upLoaders()
		return nil
	}
	name := fmt.Sprintf("juliu-chaos-%d-%d", f.o.Seed, os.Getpid())
	var err error
	f.data, err = startDatabase(ctx, name, f.o.Image, f.path("secrets", "postgres-env"), f.ports[target])
	if err != nil {
		return err
	}
	f.upLoaders()
	// The first loader creates the table. It may be between two of its statements, so the trigger is tried until it fits.
	return until(ctx, time.Minute, "the loaders create their table", func() error { return f.data.execute(ctx, "BEGIN;"+recordWrites+"COMMIT") })
}

func (f *fleet) upLoaders() {
	for _, name := range loaders() {
		f.daemons[name].up()
	}
}

// add has a process supervised, which starts when it is let up.
func (f *fleet) add(ctx context.Context, name string, env []string, argv ...string) error {
	d, err := newDaemon(name, f.path(chaos.OutputFolder, name+".log"), append(env, "PATH=/usr/bin:/bin", "HOME="+f.o.Dir), argv...)
	if err != nil {
		return err
	}
	f.daemons[name] = d
	f.group.Go(func() { d.supervise(ctx) })
	return nil
}

func (f *fleet) serviceEnv(name string) []string {
	return []string{
		"NATS_URL=" + f.url(f.links["link of "+name].address()), "HTTP_ADDR=" + at(f.ports[name]), "LOG_LEVEL=info", "LOG_FORMAT=json",
	}
}

func (f *fleet) extractorEnv(name string) []string {
	rates := vendorRates()
	return append(
		f.serviceEnv(name), "JST_BASE_URL=http://"+f.links[linkVendor].address(), "JST_APP_KEY="+sandbox.DefaultAppKey,
		"JST_APP_SECRET_FILE="+f.path("secrets", "app-secret"), "JST_ACCESS_TOKEN_FILE="+f.path("secrets", "access-token"),
		"JST_REFRESH_TOKEN_FILE="+f.path("secrets", "refresh-token"),
		"JST_RATE_PER_SECOND="+strconv.Itoa(rates[0]), "JST_RATE_PER_MINUTE="+strconv.Itoa(rates[1]),
		"EXTRACTOR_START=25h", "EXTRACTOR_INTERVAL=1s", "EXTRACTOR_SETTLE="+settle.String(), "EXTRACTOR_OVERLAP="+overlap.String(),
		"EXTRACTOR_WINDOW=1h", "EXTRACTOR_SWEEP_EVERY="+sweepEvery.String(), "EXTRACTOR_SWEEP_SPAN=10m", "EXTRACTOR_AUDIT_EVERY=0s",
	)
}

func (f *fleet) loaderEnv(name string) []string {
	return append(
		f.serviceEnv(name), "LOADER_SINK="+f.o.Sink, "LOADER_POSTGRES_URL_FILE="+f.path("secrets", "postgres-url"),
		"LOADER_WEBHOOK_URL_FILE="+f.path("secrets", "webhook-url"), "LOADER_WEBHOOK_SECRET_FILE="+f.path("secrets", "webhook-secret"),
		"LOADER_WEBHOOK_ALLOW=127.0.0.1",
	)
}

// provision creates the streams as an operator does.
func (f *fleet) provision(ctx context.Context) error {
	return until(ctx, time.Minute, "the server takes the streams", func() error {
		cmd := exec.CommandContext(ctx, filepath.Join(f.o.Bin, "juliu"), "provision") //nolint:gosec // The rig's own program.
		cmd.Env = []string{"NATS_URL=" + f.url(at(f.ports[broker])), "HOME=" + f.o.Dir}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("juliu provision: %w: %s", err, out)
		}
		return nil
	})
}

// rest asks the services to stop and waits for them.
func (f *fleet) rest() {
	var all sync.WaitGroup
	for _, name := range services() {
		all.Go(func() { f.daemons[name].end(syscall.SIGTERM, stopPatience) })
	}
	all.Wait()
}

// close waits for the processes, whose context has ended, and removes what is left.
func (f *fleet) close(ctx context.Context) error {
	f.group.Wait()
	for _, l := range f.links {
		l.close()
	}
	if f.data == nil {
		return nil
	}
	return f.data.remove(ctx)
}

// until tries something until it succeeds; its last error tells why it never did.
func until(ctx context.Context, patience time.Duration, what string, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := strings.Cut(listener.Addr().String(), ":")
	return strconv.Atoi(port) //nolint:wrapcheck // a port of ours is a number
}

func at(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }
