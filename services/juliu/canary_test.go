package juliu_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"juliu/pkg/jushuitan/sandbox"
	"juliu/pkg/secret"
	"juliu/pkg/sink/postgres/postgrestest"
	"juliu/pkg/stream"
)

// Secrets of the canary run that are found nowhere else.
const (
	secretApp     = "canary-app-secret-3f81"
	secretAccess  = "canary-access-token-77d2"
	secretRefresh = "canary-refresh-token-c09e"
	secretURL     = "canary-url-token-5b6a"
	secretWebhook = "Y2FuYXJ5LXdlYmhvb2stc2VjcmV0LTEyMzQ1Njc4OTA="
)

// aviary is a run in which every secret and person is a canary, and what its programs have shown of themselves by name.
type aviary struct {
	*ground
	files map[string]string // settings as the names of files that hold the secrets
	shown map[string]string
}

func newAviary(t *testing.T) *aviary {
	t.Helper()
	faults := sandbox.AllFaults(0.05)
	faults.NoIdentity, faults.StallFor = 0.02, 100*time.Millisecond
	a := &aviary{newGround(t, sandbox.Config{
		Seed: 7, Orders: 600, History: 2 * time.Hour, Faults: faults, AppSecret: secret.New(secretApp), AccessToken: secret.New(secretAccess), RefreshToken: secret.New(secretRefresh),
	}), map[string]string{}, map[string]string{}}
	a.hide(t, "JST_APP_SECRET_FILE", secretApp)
	a.hide(t, "JST_ACCESS_TOKEN_FILE", secretAccess)
	a.hide(t, "JST_REFRESH_TOKEN_FILE", secretRefresh)
	a.hide(t, "LOADER_WEBHOOK_SECRET_FILE", "whsec_"+secretWebhook)
	context, err := json.Marshal(map[string]string{"url": a.nats})
	if err != nil {
		t.Fatal(err)
	}
	a.hide(t, "NATS_CONTEXT", string(context))
	return a
}

// hide keeps a secret in a file, of which a setting is the name.
func (a *aviary) hide(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a.files[name] = path
}

// start runs a program with metrics; the function returned keeps what it shows of itself, kills it and keeps its log.
func (a *aviary) start(t *testing.T, name string, settings ...string) func() {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	env := map[string]string{"HTTP_ADDR": address, "LOG_LEVEL": "debug"}
	maps.Copy(env, a.files)
	for i := 0; i < len(settings); i += 2 {
		env[settings[i]] = settings[i+1]
	}
	p := command(t.Context(), t, env, name)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	t.Cleanup(func() {
		if end(); t.Failed() {
			t.Logf("%s:\n%.20000s", name, p.out)
		}
	})
	return func() {
		for _, file := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/" + file)
			if err != nil || len(text) == 0 {
				t.Errorf("%s of %s: %v", file, name, err)
			}
			a.shown[name+" "+file] = string(text)
		}
		for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
			response, err := http.Get("http://" + address + path) //nolint:noctx // the test's own
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			a.shown[name+" "+path] = string(text)
		}
		end()
		a.shown[name+" log"] = p.out.String()
	}
}

// run carries out a command line as an operator does, whose exit code must be one of those, and keeps what it prints.
func (a *aviary) run(t *testing.T, codes []int, args ...string) {
	t.Helper()
	env := map[string]string{"JST_BASE_URL": a.erp, "JST_APP_KEY": sandbox.DefaultAppKey, "EXTRACTOR_START": "3h", "LOADER_SINK": "webhook", "LOADER_WEBHOOK_ALLOW": "127.0.0.1"}
	maps.Copy(env, a.files)
	code, out, _ := command(t.Context(), t, env, "juliu", args...).run(t)
	if !slices.Contains(codes, code) {
		t.Fatalf("juliu %v: exit code %d\n%s", args, code, out)
	}
	a.shown["juliu "+strings.Join(args, " ")] = out
}

// persons are the texts of the stored orders that the schema marks as personal, longer than a character, unmasked by the platform, unless
// they stand in other fields too: a supplier may be the title of an invoice.
func (a *aviary) persons(t *testing.T) map[string]bool {
	t.Helper()
	found, public := map[string]bool{}, map[string]bool{}
	var collect func(m protoreflect.Message)
	collect = func(m protoreflect.Message) {
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			options, _ := fd.Options().(*descriptorpb.FieldOptions)
			switch {
			case fd.Kind() == protoreflect.StringKind && !fd.IsList() && !options.GetDebugRedact():
				public[v.String()] = true
			case fd.Kind() == protoreflect.StringKind && !fd.IsList() && len(v.String()) > 4 && !strings.Contains(v.String(), "*"):
				found[v.String()] = true
			case fd.Message() != nil && fd.IsList():
				for i := range v.List().Len() {
					collect(v.List().Get(i).Message())
				}
			}
			return true
		})
	}
	if err := stream.Read(t.Context(), a.conn, stream.ReadOptions{}, func(d stream.Delivery) error {
		if d.Err == nil {
			collect(d.Record.Payload.ProtoReflect())
		}
		return d.Err
	}); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(found, func(text string, _ bool) bool { return public[text] })
	return found
}

// rude is a receiver that refuses one order in five, fails at one, and says back all that it was told.
func rude(t *testing.T) *httptest.Server {
	t.Helper()
	n, mu := 0, sync.Mutex{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		n++
		turn := n % 10
		mu.Unlock()
		w.Header().Set("Retry-After", r.URL.String())
		switch turn {
		case 0, 5:
			w.WriteHeader(http.StatusUnprocessableEntity)
		case 3:
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write(append([]byte(r.URL.String()+r.Header.Get("Webhook-Signature")), body...))
	}))
	t.Cleanup(server.Close)
	return server
}

// Every secret and every person's data is searched for in all that the programs of a faulty run show: logs, metrics, command lines,
// environments, reasons of dead letters, and what an operator's commands print.
func TestNoProgramShowsASecretOrAPerson(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	a := newAviary(t)
	a.hide(t, "LOADER_WEBHOOK_URL_FILE", rude(t).URL+"/"+secretURL)
	a.hide(t, "LOADER_POSTGRES_URL_FILE", database)
	folder := t.TempDir()
	stopExtractor := a.start(t, "extractor", "JST_BASE_URL", a.erp, "JST_APP_KEY", sandbox.DefaultAppKey, "JST_RATE_PER_SECOND", "1000", "JST_RATE_PER_MINUTE", "600000",
		"EXTRACTOR_START", "3h", "EXTRACTOR_INTERVAL", "1s", "EXTRACTOR_SETTLE", "1s", "EXTRACTOR_OVERLAP", "5s")
	stopLoader := a.start(t, "loader", "LOADER_SINK", "webhook", "LOADER_WEBHOOK_ALLOW", "127.0.0.1", "LOADER_MAX_ATTEMPTS", "2",
		"LOADER_JSONL_PATH", filepath.Join(folder, "orders.jsonl"))
	a.atRest(t)
	a.loaded(t)
	done := []int{0}
	a.run(t, done, "replay", "--from-seq", "1", "--yes", "--wait", "--sink", "jsonl:again.jsonl")
	a.run(t, done, "replay", "--from-seq", "1", "--yes", "--wait", "--sink", "postgres")
	postgrestest.Execute(t, database, `CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN IF NEW.io_id % 50 = 0 THEN RAISE EXCEPTION 'not % at %', NEW.receiver_name, NEW.receiver_address; END IF; RETURN NEW; END$$;
		CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON juliu.sales_out_order FOR EACH ROW EXECUTE FUNCTION public.refuse()`)
	a.run(t, done, "replay", "--from-seq", "1", "--yes", "--wait", "--force", "--sink", "postgres")
	letters, err := stream.Letters(t.Context(), a.conn)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]uint64{} // one letter of each class and consumer
	for _, l := range letters {
		kinds[l.Class+" "+l.Consumer] = l.ID
		a.shown["reason of letter "+strconv.FormatUint(l.ID, 10)] = l.Reason
	}
	if len(kinds) < 3 {
		t.Errorf("the letters are of %v only", kinds)
	}
	a.run(t, done, "audit", "--from", "3h", "--sink", "postgres", "--output", "markdown")
	a.run(t, done, "backfill", "--from", "2h", "--to", "1h", "--yes")
	for _, output := range []string{"table", "json"} {
		for _, args := range []string{"status", "doctor", "dlq list", "dlq groups", "dlq history", "jobs list"} {
			a.run(t, []int{0, 1}, append(strings.Fields(args), "--output", output)...)
		}
		for _, id := range kinds {
			a.run(t, done, "dlq", "show", strconv.FormatUint(id, 10), "--output", output)
		}
	}
	a.run(t, done, "dlq", "requeue", "--class", "rejected", "--yes", "--output", "json")
	a.run(t, done, "dlq", "drop", "--class", "no-identity", "--yes", "--output", "json")
	stopExtractor()
	stopLoader()
	a.search(t, database, filepath.Join(folder, "again.jsonl"))
}

// search looks for every canary in all that was shown, and for the persons in a sink's file, where they must be.
func (a *aviary) search(t *testing.T, database, file string) {
	t.Helper()
	canaries := a.persons(t)
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	alive := 0
	for person := range canaries {
		if bytes.Contains(written, []byte(person)) {
			alive++
		}
	}
	nats, natsErr := url.Parse(a.nats)
	pg, pgErr := url.Parse(database)
	if natsErr != nil || pgErr != nil || alive < 500 {
		t.Fatalf("%d persons are in the sink's file, %v %v", alive, natsErr, pgErr)
	}
	password, _ := pg.User.Password()
	for _, s := range []string{secretApp, secretAccess, secretRefresh, secretURL, secretWebhook, nats.User.Username(), ":" + password + "@"} {
		canaries[s] = true
	}
	size := 0
	for name, text := range a.shown {
		size += len(text)
		for canary := range canaries {
			if strings.Contains(text, canary) {
				at := strings.Index(text, canary)
				t.Errorf("%s shows %q: …%s…", name, canary, text[max(0, at-80):min(len(text), at+80)])
			}
		}
	}
	t.Logf("%d canaries (%d in the sink's file) searched for in %d outputs of %d bytes", len(canaries), alive, len(a.shown), size)
}
