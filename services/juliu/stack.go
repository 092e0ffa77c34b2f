package juliu

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/jushuitan"
	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/process"
	"juliu/pkg/stream"
	"juliu/services/extractor"
	"juliu/services/loader"
)

// Stack is everything in one process: an embedded NATS server, the ERP's sandbox unless a real ERP is named, the extractor and the
// loader. Every part is built as in production and talks over the loopback interface; the Stack is wiring alone.
type Stack struct {
	// Sandbox is nil with a real ERP.
	Sandbox *sandbox.Sandbox
	// Extractor and Loader are the services.
	Extractor *extractor.Extractor
	Loader    *loader.Loader
	// Conn is the command's own connection.
	Conn *stream.Conn

	// ERP is the base URL of the ERP, the sandbox's when it runs.
	ERP string

	server *embednats.Server
	conns  []*stream.Conn
	stop   context.CancelFunc
	group  *errgroup.Group
}

// StackConfig is what a Stack is built from.
type StackConfig struct {
	// Data is the folder of the embedded server.
	Data string
	// Limits are the streams' limits.
	Limits stream.Limits
	// Sandbox runs in the place of a real ERP; nil reads the ERP of Extractor.ERP.
	Sandbox *sandbox.Sandbox
	// Extractor and Loader are the services' settings; their NATS settings are replaced.
	Extractor extractor.Config
	Loader    loader.Config
	// Registry takes the services' metrics.
	Registry *prometheus.Registry
	Log      logrus.FieldLogger
	Now      func() time.Time
}

// OpenStack starts the server and whatever the services need; Run starts the services. The caller closes the Stack.
func OpenStack(ctx context.Context, cfg StackConfig) (*Stack, error) {
	s := &Stack{Sandbox: cfg.Sandbox}
	if err := s.open(ctx, cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Stack) open(ctx context.Context, cfg StackConfig) error {
	var err error
	if s.server, err = embednats.Start(ctx, embednats.Options{Dir: cfg.Data, Log: cfg.Log}); err != nil {
		return err
	}
	connect := func(name string) (*stream.Conn, error) {
		conn, err := stream.Connect(ctx, stream.Config{URL: s.server.URL(), Name: name}, cfg.Log)
		if err == nil {
			s.conns = append(s.conns, conn)
		}
		return conn, err
	}
	if s.Conn, err = connect("juliu"); err != nil {
		return err
	}
	if _, err := provisionAll(ctx, s.Conn, cfg.Limits); err != nil {
		return err
	}
	if err := s.openSandbox(ctx, &cfg.Extractor.ERP); err != nil {
		return err
	}
	s.ERP = cfg.Extractor.ERP.BaseURL
	if s.Extractor, err = s.openExtractor(ctx, cfg, connect); err != nil {
		return err
	}
	s.Loader, err = s.openLoader(ctx, cfg, connect)
	return err
}

func (s *Stack) openExtractor(
	ctx context.Context, cfg StackConfig, connect func(string) (*stream.Conn, error),
) (*extractor.Extractor, error) {
	client, err := jushuitan.New(cfg.Extractor.ERP)
	if err != nil {
		return nil, fmt.Errorf("set up the ERP's client: %w", err)
	}
	conn, err := connect("extractor")
	if err != nil {
		return nil, err
	}
	jobs, err := control.OpenJobs(ctx, conn, cfg.Now)
	if err != nil {
		return nil, err
	}
	tokens, err := control.OpenTokens(ctx, conn, cfg.Extractor.ERP.AppSecret)
	if err != nil {
		return nil, err
	}
	leases, err := control.OpenLeases(ctx, conn, cfg.Log)
	if err != nil {
		return nil, err
	}
	return extractor.New(extractor.Deps{
		ERP: client, Stream: conn, Leases: alone{leases.WithQuota(extractor.QuotaOf(client))}, Jobs: jobs, Tokens: tokens, Log: cfg.Log, Registerer: cfg.Registry, Now: cfg.Now,
		Holder: control.Holder{Name: process.Name(), Since: cfg.Now()},
	}, cfg.Extractor)
}

// alone needs no lease: the lock on the data folder lets no second extractor reach the embedded server, and a restart after a crash need not
// wait until a lease has run out. It is shown as its holder all the same.
type alone struct{ leases *control.Leases }

// Hold runs fn.
func (a alone) Hold(ctx context.Context, name string, holder control.Holder, fn func(context.Context) error) error {
	return a.leases.Show(ctx, name, holder, fn)
}

func (s *Stack) openLoader(ctx context.Context, cfg StackConfig, connect func(string) (*stream.Conn, error)) (*loader.Loader, error) {
	conn, err := connect("loader")
	if err != nil {
		return nil, err
	}
	return loader.Open(ctx, conn, cfg.Loader, cfg.Log, cfg.Registry, cfg.Now)
}

// openSandbox serves the sandbox on a free port and points the client at it.
func (s *Stack) openSandbox(ctx context.Context, erp *jushuitan.Config) error {
	if s.Sandbox == nil {
		return nil
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.group, ctx = errgroup.WithContext(ctx)
	ready, failed := make(chan string, 1), make(chan error, 1)
	s.group.Go(func() error {
		err := serveSandbox(ctx, s.Sandbox, "127.0.0.1:0", func(url string) { ready <- url })
		failed <- err
		return err
	})
	select {
	case err := <-failed:
		return err
	case url := <-ready:
		erp.BaseURL = url
		return nil
	}
}

// Run runs the extractor and the loader until intake ends or one of them fails, and finishes what they have in hand under work.
func (s *Stack) Run(intake, work context.Context) error {
	intake, cancel := context.WithCancel(intake)
	defer cancel()
	var group errgroup.Group
	run := func(f func(intake, work context.Context) error) {
		group.Go(func() error {
			defer cancel() // one cannot do without the other
			return f(intake, work)
		})
	}
	run(s.Extractor.Run)
	run(s.Loader.Run)
	if s.group != nil {
		ended := make(chan error, 1)
		go func() { ended <- s.group.Wait() }() // ends with Close at the latest
		run(func(intake, _ context.Context) error {
			select {
			case err := <-ended:
				return err
			case <-intake.Done():
				return nil
			}
		})
	}
	return group.Wait() //nolint:wrapcheck // our own services' errors
}

// Close stops everything; the server goes last.
func (s *Stack) Close() {
	for _, conn := range s.conns {
		conn.Close()
	}
	if s.stop != nil {
		s.stop()
		_ = s.group.Wait() // Run has told of it
	}
	if s.server != nil {
		s.server.Close()
	}
}
