package jushuitan_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"juliu/pkg/jushuitan"
)

func TestCodes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		code             int
		msg              string
		openapi, partner jushuitan.Kind
		retry            [2]bool // openapi, partner
	}{
		{code: 10, msg: "验证失败！无效签名", openapi: jushuitan.Signature, partner: jushuitan.Signature},
		{code: 120, msg: "签名错误", openapi: jushuitan.Signature, partner: jushuitan.Signature},
		{code: 100, msg: "无效的access_token或access_token已过期", openapi: jushuitan.TokenExpired, partner: jushuitan.TokenExpired},
		{code: 110, msg: "该IP不在白名单列表：203.0.113.7", openapi: jushuitan.IPNotAllowed, partner: jushuitan.IPNotAllowed},
		{code: 130, msg: "参数无法转换", openapi: jushuitan.BadParameter, partner: jushuitan.BadParameter},
		{code: -4, msg: "参数错误", openapi: jushuitan.BadParameter, partner: jushuitan.BadParameter},
		{code: 10015, msg: "缺少参数", openapi: jushuitan.BadParameter, partner: jushuitan.BadParameter},
		{code: 140, msg: "无效的Timestamp，请求最大时间误差15分钟", openapi: jushuitan.ClockSkew, partner: jushuitan.BadParameter},
		{code: 140, msg: "参数不符合规范", openapi: jushuitan.BadParameter, partner: jushuitan.BadParameter},
		{code: 180, msg: "ts无效", openapi: jushuitan.ClockSkew, partner: jushuitan.ClockSkew},
		{code: 150, msg: "服务商应用禁止刷新", openapi: jushuitan.RefreshForbidden, partner: jushuitan.Internal, retry: [2]bool{false, true}},
		{code: 160, msg: "保存失败", openapi: jushuitan.Internal, partner: jushuitan.Internal, retry: [2]bool{true, true}},
		{code: 170, msg: "店铺编号不存在", openapi: jushuitan.UnknownShop, partner: jushuitan.UnknownShop},
		{code: 190, msg: "无API权限，请申请API权限", openapi: jushuitan.NotGranted, partner: jushuitan.NotGranted},
		{
			code: 199, msg: "调用频次超过限制!请稍后再试",
			openapi: jushuitan.RateLimitedSecond, partner: jushuitan.RateLimitedSecond, retry: [2]bool{true, true},
		},
		{
			code: 200, msg: "调用频次超过限制",
			openapi: jushuitan.RateLimitedMinute, partner: jushuitan.RateLimitedMinute, retry: [2]bool{true, true},
		},
		{
			code: 10004, msg: "请求过于频繁",
			openapi: jushuitan.RateLimitedMinute, partner: jushuitan.RateLimitedMinute, retry: [2]bool{true, true},
		},
		{code: 31415, msg: "从未见过", openapi: jushuitan.Unknown, partner: jushuitan.Unknown},
		{code: 0, msg: "执行失败", openapi: jushuitan.Unknown, partner: jushuitan.Unknown},
	}
	// The same refusal in each of the forms that answers have been seen in.
	forms := map[string]string{
		"the code a number":          `{"code":%d,"msg":"%s","issuccess":false,"data":null}`,
		"the code a string":          `{"code":"%d","msg":"%s","issuccess":"false"}`,
		"message in the place of it": `{"code":%d,"message":"%s","issuccess":0}`,
		"msg null beside message":    ` {"issuccess":false,"data":{"datas":[{}]},"msg":null,"message":"%[2]s","code":%[1]d} `,
	}
	for _, c := range cases {
		for i, gateway := range gateways() {
			want := []jushuitan.Kind{c.openapi, c.partner}[i]
			for form, text := range forms {
				t.Run(fmt.Sprintf("%s %d %s with %s", gateway, c.code, want, form), func(t *testing.T) {
					t.Parallel()
					_, err := jushuitan.Decode(gateway, http.StatusOK, nil, fmt.Appendf(nil, text, c.code, c.msg))
					e := failure(t, err)
					if e.Kind != want || e.Code != c.code || e.Msg != c.msg || e.Gateway != gateway || e.Endpoint != "sales-out" {
						t.Errorf("got %+v: kind %s, code %d, msg %s", e, e.Kind, e.Code, e.Msg)
					}
					if e.Retryable() != c.retry[i] || e.RetryAfter != 0 {
						t.Errorf("retryable %t after %s", e.Retryable(), e.RetryAfter)
					}
					if remedy := e.Remedy(); len(remedy) < 10 || strings.ContainsAny(remedy, "\n%") {
						t.Errorf("remedy %q", remedy)
					}
				})
			}
		}
	}
}

func TestCode200IsAnError(t *testing.T) {
	t.Parallel()
	for _, gateway := range gateways() {
		_, err := jushuitan.Decode(gateway, http.StatusOK, nil, []byte(`{"code":200,"msg":"success","data":{"datas":[{"io_id":1}]}}`))
		if e := failure(t, err); e.Code != 200 {
			t.Errorf("got %v", e)
		}
	}
}

func TestCode110NamesTheAddressToWhitelist(t *testing.T) {
	t.Parallel()
	for msg, ip := range map[string]string{
		"该IP不在白名单列表：203.0.113.7":                     "203.0.113.7",
		"IP 203.0.113.7, not allowed.":               "203.0.113.7",
		"该IP(203.0.113.7:51234)不在白名单":                "203.0.113.7",
		"白名单：2408:8207:1851:2d40:5054:ff:fe12:3456。": "2408:8207:1851:2d40:5054:ff:fe12:3456",
		"::ffff:203.0.113.7 refused":                 "::ffff:203.0.113.7",
		"[2408:8207::1]:443":                         "2408:8207::1",
		"该IP不在白名单列表":                                 "",
		"version 1.2.3 at 10:20":                     "",
	} {
		_, err := jushuitan.Decode(jushuitan.OpenAPI, http.StatusOK, nil, fmt.Appendf(nil, `{"code":110,"msg":%q}`, msg))
		e := failure(t, err)
		if e.IP != ip || e.Msg != msg {
			t.Errorf("%s: got %q from %q", msg, e.IP, e.Msg)
		}
		if ip != "" && !strings.Contains(e.Remedy(), ip) {
			t.Errorf("the remedy does not show the address: %s", e.Remedy())
		}
	}
}

func TestClockSkewTellsHowFar(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead time.Duration
		want  string
	}{
		"an hour ahead":  {time.Hour, "1h0m0s ahead of"},
		"an hour behind": {-time.Hour, "1h0m0s behind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(jushuitan.Partner, "")
			server := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
			cfg.Now = func() time.Time { return server.Add(c.ahead) }
			cfg.HTTP = roundTrip(func(*http.Request) (*http.Response, error) {
				res := respond(`{"code":180,"msg":"ts无效"}`)
				res.Header.Set("Date", server.Format(http.TimeFormat))
				return res, nil
			})
			_, err := newClient(t, cfg).Query(t.Context(), jushuitan.SalesOut(), nil)
			e := failure(t, err)
			if e.Skew != c.ahead || !strings.Contains(e.Remedy(), c.want) {
				t.Errorf("skew %s: %s", e.Skew, e.Remedy())
			}
		})
	}
}

func TestErrorTextIsOneLineWithCauseAndCode(t *testing.T) {
	t.Parallel()
	_, err := jushuitan.Decode(jushuitan.Partner, http.StatusOK, nil, []byte(`{"code":110,"msg":"该IP不在白名单列表：\r\n203.0.113.7"}`))
	want := "query sales-out on partner: ip not allowed: code 110: 该IP不在白名单列表： 203.0.113.7"
	if got := failure(t, err).Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
