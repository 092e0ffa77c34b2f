package embednats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"juliu/pkg/secret"
)

const (
	// DefaultMaxPayload is the largest message in bytes: the most that the NATS documentation advises.
	DefaultMaxPayload = 8 << 20

	loopback  = "127.0.0.1"
	urlName   = "nats-url"
	maxMemory = 64 << 20
	poll      = 20 * time.Millisecond
	patience  = 30 * time.Second
)

// Options say how to run a server.
type Options struct {
	// Dir is the data folder; it is created when missing.
	Dir string
	// Port is the loopback port; 0 takes any free one.
	Port int
	// Token is what clients must show; an empty one is replaced by a random one. Either way it stands in URL.
	Token secret.Text
	// MaxPayload is the largest message in bytes; 0 means DefaultMaxPayload.
	MaxPayload int32
	// Log receives the server's warnings and errors, and the rest as debug.
	Log logrus.FieldLogger
}

// Server is a running server.
type Server struct {
	nats  *server.Server
	lock  *lock
	dir   string
	url   string
	close sync.Once
}

// Start locks the folder, runs a server on it and returns when clients can connect. It leaves the server's URL, with the token, in the
// folder for other processes of the same user. Errors: *InUseError when another process holds the folder, *FolderError when it
// cannot be used. Nothing that an earlier process left behind, however it ended, prevents a start.
func Start(ctx context.Context, o Options) (*Server, error) {
	held, err := takeLock(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{lock: held, dir: o.Dir}
	_ = os.Remove(filepath.Join(o.Dir, urlName)) // a killed server's: with the folder locked again it would be believed
	if err := s.run(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) run(ctx context.Context, o Options) error {
	token := o.Token.Reveal()
	if token == "" {
		token = rand.Text()
	}
	options, err := serverOptions(o, token)
	if err != nil {
		return err
	}
	if s.nats, err = server.NewServer(options); err != nil {
		return fmt.Errorf("configure the embedded nats server: %w", err)
	}
	log := newServerLog(o.Log)
	s.nats.SetLoggerV2(log, false, false, false)
	s.nats.Start()
	if err := s.wait(ctx, log.fatal); err != nil {
		return err
	}
	address := url.URL{Scheme: "nats", User: url.User(token), Host: s.nats.Addr().String()}
	s.url = address.String()
	return s.noteURL()
}

// serverOptions spell out everything whose default would surprise: the server would trap signals and exit by itself, sync every two
// minutes, and take three quarters of memory and of the free disk, which shrinks with each start.
func serverOptions(o Options, token string) (*server.Options, error) {
	store, err := storeLimit(o.Dir)
	if err != nil {
		return nil, &FolderError{Dir: o.Dir, Cause: err}
	}
	port, payload := o.Port, o.MaxPayload
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if payload == 0 {
		payload = DefaultMaxPayload
	}
	return &server.Options{
		ServerName:         "juliu",
		Host:               loopback,
		Port:               port,
		Authorization:      token,
		MaxPayload:         payload,
		NoSigs:             true,
		JetStream:          true,
		StoreDir:           o.Dir,
		SyncAlways:         true,
		JetStreamMaxMemory: maxMemory,
		JetStreamMaxStore:  store,
	}, nil
}

// storeLimit is nine tenths of what the folder holds and the disk has free, in bytes.
func storeLimit(dir string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return 0, fmt.Errorf("read the free space: %w", err)
	}
	total := int64(disk.Bavail) * int64(disk.Bsize) //nolint:gosec,unconvert // no disk reaches 8 EiB; the types differ by system
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			total += info.Size()
		}
		return err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return 0, fmt.Errorf("measure the folder: %w", err)
	}
	return total / 10 * 9, nil
}

// wait returns when the server accepts clients, or with the reason why it never will.
func (s *Server) wait(ctx context.Context, fatal <-chan error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it accepts no connections"))
	defer cancel()
	for !s.nats.ReadyForConnections(poll) {
		select {
		case err := <-fatal:
			return fmt.Errorf("start the embedded nats server: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("start the embedded nats server: %w", context.Cause(ctx))
		default:
		}
	}
	return nil
}

// noteURL writes the URL so that nobody reads half of it.
func (s *Server) noteURL() error {
	draft := filepath.Join(s.dir, urlName+".new")
	if err := os.WriteFile(draft, []byte(s.url+"\n"), 0o600); err != nil {
		return &FolderError{Dir: s.dir, Cause: err}
	}
	if err := os.Rename(draft, filepath.Join(s.dir, urlName)); err != nil {
		return &FolderError{Dir: s.dir, Cause: err}
	}
	return nil
}

// URL is where to connect, with the token: do not log it.
func (s *Server) URL() string { return s.url }

// Close stops the server, waits until everything is on disk, and frees the folder. Close clients first: those that reconnect for ever
// go on trying. It may be called more than once.
func (s *Server) Close() {
	s.close.Do(func() {
		if s.url != "" {
			_ = os.Remove(filepath.Join(s.dir, urlName))
		}
		if s.nats != nil {
			s.nats.Shutdown()
			s.nats.WaitForShutdown()
		}
		s.lock.release()
	})
}

// FindURL is the URL, with its token, of the server that runs on the folder; ErrNotRunning when none noted it, or none holds
// the folder any more: a killed server leaves its note behind. *FolderError when the folder cannot be read.
func FindURL(dir string) (string, error) {
	note, err := fs.ReadFile(os.DirFS(dir), urlName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	if err != nil {
		return "", &FolderError{Dir: dir, Cause: err}
	}
	switch held, err := isHeld(dir); {
	case errors.Is(err, fs.ErrNotExist), err == nil && !held:
		return "", fmt.Errorf("%w: %s", ErrNotRunning, dir)
	case err != nil:
		return "", &FolderError{Dir: dir, Cause: err}
	}
	return strings.TrimSpace(string(note)), nil
}
