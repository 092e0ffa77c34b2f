package control_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"juliu/pkg/control"
	"juliu/pkg/embednats"
	"juliu/pkg/secret"
	"juliu/pkg/stream"
)

const appSecret = "e9c5ca33fecb404b8e6cdbd0ef4a6d25"

func openTokens(tb testing.TB, conn *stream.Conn, key string) *control.Tokens {
	tb.Helper()
	tokens, err := control.OpenTokens(tb.Context(), conn, secret.New(key))
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

func token() control.Token {
	return control.Token{
		Access: secret.New("canary-access-91"), Refresh: secret.New("canary-refresh-92"), Expires: epoch().Add(30 * 24 * time.Hour),
		Claim: &control.Claim{Holder: "host/12/abc", At: epoch()},
	}
}

func TestATokenComesBackAsSaved(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	tokens := openTokens(t, conn, appSecret)
	if got, revision, err := tokens.Load(t.Context(), source); revision != 0 || err != nil || !reflect.DeepEqual(got, control.Token{}) {
		t.Fatalf("%+v at %d, %v", got, revision, err)
	}
	first, err := tokens.Save(t.Context(), source, token(), 0)
	if err != nil {
		t.Fatal(err)
	}
	other := openTokens(t, connect(t, server.URL()), appSecret)
	got, revision, err := other.Load(t.Context(), source)
	if diff := cmp.Diff(token(), got, cmp.AllowUnexported(secret.Text{})); err != nil || revision != first || diff != "" {
		t.Fatalf("at %d, %v %s", revision, err, diff)
	}
	for _, stale := range []uint64{0, first - 1, first + 1} {
		if _, err := other.Save(t.Context(), source, token(), stale); !errors.Is(err, control.ErrConflict) {
			t.Errorf("over revision %d: %v", stale, err)
		}
	}
	second, err := other.Save(t.Context(), source, control.Token{Access: secret.New("next")}, first)
	if err != nil || second <= first {
		t.Fatalf("%d, %v", second, err)
	}
	if _, err := tokens.Save(t.Context(), source, token(), first); !errors.Is(err, control.ErrConflict) {
		t.Errorf("a process that has not seen the other's: %v", err)
	}
	if got, _, err := tokens.Load(t.Context(), source); err != nil || got.Access.Reveal() != "next" || got.Claim != nil || !got.Expires.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	kv, err := rawJS(t, server.URL()).KeyValue(t.Context(), control.TokenBucket)
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Delete(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	if _, revision, err := tokens.Load(t.Context(), source); revision != 0 || err != nil {
		t.Errorf("after a deletion: %d, %v", revision, err)
	}
	if _, err := tokens.Save(t.Context(), source, token(), 0); err != nil {
		t.Errorf("after a deletion: %v", err)
	}
}

func TestATokenOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	server, conn := setup(t)
	tokens := openTokens(t, conn, appSecret)
	first, err := tokens.Save(t.Context(), source, token(), 0)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := rawJS(t, server.URL()).KeyValue(t.Context(), control.TokenBucket)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := kv.Get(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(name, where string, by *control.Tokens, want uint64) {
		t.Helper()
		got, revision, err := by.Load(t.Context(), where)
		if !errors.Is(err, control.ErrSealed) || revision != want || !reflect.DeepEqual(got, control.Token{}) {
			t.Errorf("%s: %+v at %d, %v", name, got, revision, err)
		}
	}
	wrong := openTokens(t, conn, appSecret+"x")
	sealed("a wrong secret", source, wrong, first)
	moved, err := kv.Put(t.Context(), "other", entry.Value())
	if err != nil {
		t.Fatal(err)
	}
	sealed("another source's record", "other", tokens, moved)
	for name, body := range map[string][]byte{
		"nothing": {}, "a version alone": {1}, "another version": append([]byte{2}, entry.Value()[1:]...), "half": entry.Value()[:len(entry.Value())/2],
	} {
		at, err := kv.Put(t.Context(), "torn", body)
		if err != nil {
			t.Fatal(err)
		}
		sealed(name, "torn", tokens, at)
	}
	if _, err := wrong.Save(t.Context(), source, token(), first); err != nil {
		t.Errorf("a new token over one that is sealed: %v", err)
	}
	if _, err := control.OpenTokens(t.Context(), conn, secret.Text{}); err == nil || !strings.Contains(err.Error(), "JST_APP_SECRET") {
		t.Errorf("an empty secret: %v", err)
	}
}

func TestATokenShowsItselfNowhere(t *testing.T) {
	t.Parallel()
	server, same := serve(t, embednats.Options{})
	conn := connect(t, server.URL())
	if _, err := control.Provision(t.Context(), conn, 1); err != nil {
		t.Fatal(err)
	}
	tokens := openTokens(t, conn, appSecret)
	revision, err := tokens.Save(t.Context(), source, token(), 0)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(token()) //nolint:musttag // that it has no encoding of its own is the point
	if err != nil {
		t.Fatal(err)
	}
	_, conflict := tokens.Save(t.Context(), source, token(), revision+9)
	one := token()
	for _, shown := range []string{
		fmt.Sprintf("%v %+v %#v", one, one, one), fmt.Sprintf("%v %+v", &one, &one), string(encoded), conflict.Error(),
		fmt.Sprintf("%+v %#v", tokens, tokens),
	} {
		if strings.Contains(shown, "canary") || strings.Contains(shown, appSecret) {
			t.Errorf("%s", shown)
		}
	}
	server.Close()
	files := 0
	err = filepath.WalkDir(same.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		for _, plain := range []string{"canary", appSecret, "refresh\"", "host/12/abc"} {
			if bytes.Contains(data, []byte(plain)) {
				t.Errorf("%s holds %q", path, plain)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files: %v", files, err)
	}
}
