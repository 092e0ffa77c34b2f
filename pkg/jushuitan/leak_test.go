package jushuitan_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"juliu/pkg/jushuitan"
)

// assertClean looks for secrets and for the address's query in every text that an error and its causes can give.
func assertClean(t *testing.T, err error) {
	t.Helper()
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			text := fmt.Sprintf(verb, cause)
			assertNoSecret(t, text)
			if strings.Contains(text, "sign=") || strings.Contains(text, "partnerid=") {
				t.Errorf("the address's query is shown: %s", text)
			}
		}
	}
}

func TestAnEchoOfTheRequestIsMasked(t *testing.T) {
	t.Parallel()
	for _, gateway := range gateways() {
		for name, form := range map[string]string{
			"in a refusal":          `{"code":130,"msg":%q}`,
			"in a page's title":     `<html><title>%s</title></html>`,
			"in a refusal's stead":  `{"error":%q}`,
			"in a status's refusal": `{"code":120,"message":%q}`,
		} {
			t.Run(fmt.Sprintf("%s %s", gateway, name), func(t *testing.T) {
				t.Parallel()
				var sign string
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					values, _ := url.ParseQuery(r.URL.RawQuery + "&" + string(body))
					sign = values.Get("sign")
					echo := sign + " " + accessToken + "\x01 " + appSecret[:5] + "\x00" + appSecret[5:] + " 13800138000 " + refreshToken
					write(w, http.StatusOK, "text/html", fmt.Sprintf(form, echo))
				}))
				t.Cleanup(server.Close)
				cfg := config(gateway, server.URL)
				// A fixed moment, because in some signatures the mask for long numbers hits a part.
				cfg.Now = func() time.Time { return time.Unix(1_639_128_407, 0) }
				_, err := newClient(t, cfg).Query(t.Context(), jushuitan.SalesOut(), nil)
				assertClean(t, err)
				text := fmt.Sprintf("%+v %#v", err, err)
				if strings.Contains(text, sign) || strings.Contains(text, "13800138000") || sign == "" {
					t.Errorf("the signature %q or a phone number is shown: %s", sign, text)
				}
			})
		}
	}
}

func TestARefusalsTextThatIsNoTextIsNotShown(t *testing.T) {
	t.Parallel()
	for _, msg := range []string{`{"receiver_name":"张三丰"}`, `["张三丰"]`} {
		_, err := decode(jushuitan.OpenAPI, `{"code":31415,"msg":`+msg+`}`)
		if e := failure(t, err); e.Msg != "" {
			t.Errorf("shown: %v", e)
		}
	}
}

func TestCleanKeepsWhatHelpsAndHidesTheRest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"执行失败: shop 10394533":                    "执行失败: shop 10394533",
		"联系 13800138000 或 ０１３８００１３８０００":          "联系 *** 或 ***",
		"so_id 3425786782368239, o_id 36008":     "so_id ***, o_id 36008",
		"from 203.0.113.107 and 2408:8207::1":    "from 203.0.113.107 and 2408:8207::1",
		"a\r\n\tb\x00\x1b[31mc\u202ed\u200b":     "a b[31mcd",
		"key=top secret&x=top+secret":            "key=***&x=***",
		"bad \xff byte":                          "bad � byte",
		"proxy http://user:pass@10.0.0.1:3128":   "proxy http://***@10.0.0.1:3128",
		strings.Repeat("长", 201):                 strings.Repeat("长", 199) + "…",
		strings.Repeat("长", 200):                 strings.Repeat("长", 200),
		strings.Repeat("长", 198) + "13800138000": strings.Repeat("长", 198) + "*…",
	} {
		if got := jushuitan.Clean(text, "top secret", ""); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", text, got, want)
		}
	}
}

func TestCleanNeverLeaks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const secret = "s3cr3t"
		noise := rapid.SampledFrom([]string{"s3c", "r3t", secret, "\x00", "\n", "1234567", "٣٣٣٣٣٣", "字", "\xff", " ", "//a@", "."})
		text := strings.Join(rapid.SliceOf(noise).Draw(t, "text"), "")
		assertMasked(t, jushuitan.Clean(text, secret), secret)
	})
}

// assertMasked asserts the promise of Error.Msg.
func assertMasked(t interface {
	Helper()
	Errorf(format string, args ...any)
}, text, secret string,
) {
	t.Helper()
	digits := 0
	for _, r := range text {
		if !unicode.IsPrint(r) {
			t.Errorf("%q holds the control character %q", text, r)
		}
		if digits++; !unicode.IsDigit(r) {
			digits = 0
		}
		if digits >= 11 {
			t.Errorf("%q holds a long run of digits", text)
		}
	}
	if strings.Contains(text, secret) {
		t.Errorf("%q holds the secret", text)
	}
	if n := len([]rune(text)); n > 200 {
		t.Errorf("%d runes", n)
	}
}
