package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/reason"
)

// TestSignatureVectors compares the client with signatures that were computed
// independently for fixed parameters.
func TestSignatureVectors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)))
		for method, want := range map[string]string{
			"POST": "fFVZLqxj2ng+BW2037+wQuJpGT4=",
			"GET":  "9LTlAj71pXsrOLUFjPoQ1kxWjEI=",
		} {
			got, err := rpc.Signature(method, "ListWorkerResource", "0123456789abcdef0123456789abcdef", "cn-hangzhou",
				rpc.NewCredentials("testid", "testsecret", ""),
				map[string]string{"JobId": "8888", "CurrentPage": "1", "ShowSize": "50"})
			if err != nil || got != want {
				t.Errorf("%s: got %q, %v, want %q", method, got, err, want)
			}
		}
	})
}

func TestClassify(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		want   reason.Reason
	}{
		{400, "Throttling.User", reason.Throttled},
		{429, "Throttling.User", reason.Throttled},
		{503, "Throttling", reason.Throttled},
		{200, "Throttling.Api", reason.Throttled},
		{400, "Rejected.Throttling", reason.Throttled},
		{429, "", reason.Throttled},
		{404, "InvalidAccessKeyId.NotFound", reason.Auth},
		{400, "InvalidAccessKeyId.Inactive", reason.Auth},
		{403, "Forbidden.AccessKeyDisabled", reason.Auth},
		{400, "SignatureDoesNotMatch", reason.Auth},
		{400, "IncompleteSignature", reason.Auth},
		{400, "SignatureNonceUsed", reason.Auth},
		{400, "InvalidTimeStamp.Expired", reason.Auth},
		{403, "InvalidSecurityToken.Expired", reason.Auth},
		{400, "MissingSecurityToken", reason.Auth},
		{403, "Forbidden.RAM", reason.Forbidden},
		{400, "Forbidden.RAM", reason.Forbidden},
		{403, "NoPermission", reason.Forbidden},
		{403, "Forbidden", reason.Forbidden},
		{403, "Forbidden.RiskControl", reason.Forbidden},
		{404, "NotFound", reason.NotFound},
		{400, "NotFound.Job", reason.NotFound},
		{404, "InvalidJobId.NotFound", reason.NotFound},
		{404, "InvalidApi.NotFound", reason.BadRequest},
		{404, "InvalidAction.NotFound", reason.BadRequest},
		{400, "InvalidParameter", reason.BadRequest},
		{400, "MissingJobId", reason.BadRequest},
		{418, "Teapot", reason.BadRequest},
		{403, "", reason.BadRequest},
		{302, "", reason.BadRequest},
		{503, "ServiceUnavailable", reason.ServerError},
		{500, "InternalError", reason.ServerError},
		{400, "ServiceUnavailable", reason.ServerError},
		{200, "500", reason.ServerError},
		{502, "", reason.ServerError},
		{200, "Whatever", reason.ServerError},
	} {
		if got := rpc.Classify(test.status, test.code, test.code != ""); got != test.want {
			t.Errorf("HTTP %d %q: got %s, want %s", test.status, test.code, got, test.want)
		}
	}
}

// TestClassifyFamilies has the names that products and gateways give one refusal.
func TestClassifyFamilies(t *testing.T) {
	for want, family := range map[reason.Reason]string{
		reason.Throttled: `400:Throttling.Api 400:throttling 400:SystemThrottling 400:FlowLimit 400:FlowControl 403:FlowControlException 400:TooManyRequests
			403:QpsLimitExceeded 400:RateLimit.Exceeded 400:RequestLimitExceeded 429:Forbidden.RAM 429:Anything 429:InvalidAccessKeyId.NotFound`,
		reason.Auth: `403:SecurityTokenExpired 400:SecurityToken.Expired 400:InvalidStsToken 403:ExpiredToken 400:InvalidToken 400:TokenExpired
			400:InvalidAccessKey 400:AccessKeyNotFound 403:Forbidden.AccessKeyDisabled 400:AccessKey.Inactive 400:MissingAccessKeyId 400:InvalidSignature.Expired
			400:IllegalTimestamp 400:RequestTimeTooSkewed 400:InvalidCredentials 400:NoCredential 403:AuthenticationFail 400:AuthFailure 403:Unauthenticated
			401:Unauthorized 401:Anything 401:NoAuth 403:UserNotLogin 400:LoginRequired 400:NeedLogin 400:SessionExpired
			400:TokenInvalid 403:SecurityToken.Invalid`,
		reason.Forbidden: `400:PermissionDenied 403:PermissionDenied 400:NoPermission.RAM 403:UserNoPermission 403:InsufficientPermissions 400:MissingPermission
			400:InvalidPermission 403:AccessForbid 400:AccessForbidden 403:Forbid 403:Forbidden_RAM 400:OperationForbidden 400:AccessDenied 403:Access-Denied
			400:AccessDeny 400:NotAuthorized 403:UserNotAuthorized 400:NotAuth 400:NoAuth 400:NoAuthority 400:RamNoAuth 400:UnAuthorized 403:UnauthorizedOperation
			400:OperationNotPermitted 400:NoAccess 400:AuthorityDenied 400:Authorization.Denied
			400:AuthorizationFailed 403:ImplicitDeny 403:ExplicitDeny 400:NoPrivilege 403:OperationDenied.Ram 403:Anything 403:AuthenticationFail.NoPermission
			401:NoPermission 400:PolicyDenied 400:RamDenied 403:NotOpen 403:-1008`,
		reason.BadRequest:  `400:OperationDenied.StatusNotSupport 400:InvalidNextToken 403:InvalidParameter 400:Anything 402:Arrears 405:UnsupportedHTTPMethod 403: 401: 407: 451:`,
		reason.NotFound:    `403:JobNotExist 404:InvalidJobId.NotFound 400:NotFound.Certificate`,
		reason.ServerError: `403:SystemError 400:ServiceUnavailable.Busy 403:InternalError 400:503 500:Anything 200:Anything`,
	} {
		for pair := range strings.FieldsSeq(family) {
			number, code, _ := strings.Cut(pair, ":")
			status, err := strconv.Atoi(number)
			if err != nil {
				t.Fatal(err)
			}
			if got := rpc.Classify(status, code, code != ""); got != want {
				t.Errorf("HTTP %d %q: got %s, want %s", status, code, got, want)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, value string
		want        time.Duration
	}{
		{"X-Acs-Retry-After", "2000", 2 * time.Second},
		{"X-Acs-Retry-After", " 80 ", 80 * time.Millisecond},
		{"X-Acs-Retry-After", "0.5", 500 * time.Microsecond},
		{"X-Acs-Retry-After", "86400000", 10 * time.Minute},
		{"X-Acs-Retry-After", "0", 0},
		{"X-Acs-Retry-After", "", 0},
		{"X-Acs-Retry-After", "-1", 0},
		{"X-Acs-Retry-After", "2s", 0},
		{"X-Acs-Retry-After", "Inf", 0},
		{"X-Acs-Retry-After", "Mon, 23 Nov 2026 08:00:09 GMT", 0},
		{"Retry-After", "7", 7 * time.Second},
		{"Retry-After", "Mon, 23 Nov 2026 08:00:09 GMT", 9 * time.Second},
		{"Retry-After", "Mon, 23 Nov 2026 07:00:00 GMT", 0},
		{"Retry-After", "1e300", 10 * time.Minute},
		{"Retry-After", "-5", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "soon", 0},
		{"Retry-After", "", 0},
	} {
		got, flow := rpc.RetryAfter(http.Header{test.name: {test.value}}, now)
		if want := test.want > 0 && test.name == "X-Acs-Retry-After"; got != test.want || flow != want {
			t.Errorf("%s: %q: got %v, flow control %v; want %v, %v", test.name, test.value, got, flow, test.want, want)
		}
	}
}

// TestRetryAfterByAWrongClock reads a date by the API's own clock, which wrote it.
func TestRetryAfterByAWrongClock(t *testing.T) {
	for _, clock := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
		sent := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
		got, _ := rpc.RetryAfter(http.Header{
			"Date": {sent.Format(http.TimeFormat)}, "Retry-After": {sent.Add(4 * time.Second).Format(http.TimeFormat)},
		}, sent.Add(clock))
		if got != 4*time.Second {
			t.Errorf("a clock that is off by %v waits %v, want 4s", clock, got)
		}
	}
}

const (
	canaryID     = "LTAI5tCANARYID"
	canarySecret = "CANARY+SECRET/=="
	canaryToken  = "CANARYTOKEN+/abc=="
)

// leaks fails if a text holds a canary in any of its spellings.
func leaks(t *testing.T, where, text string) {
	t.Helper()
	for _, canary := range []string{"CANARY", "Signature=", "LTAI5t"} {
		if strings.Contains(text, canary) {
			t.Errorf("%s leaks: %s", where, text)
		}
	}
}

func TestCredentialsCannotBePrinted(t *testing.T) {
	cred := rpc.NewCredentials(canaryID, canarySecret, canaryToken)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		leaks(t, verb, fmt.Sprintf(verb, cred))
		leaks(t, verb+" of a pointer", fmt.Sprintf(verb, &cred))
		leaks(t, verb+" in a struct", fmt.Sprintf(verb, struct{ C rpc.Credentials }{cred}))
	}
	asJSON, err := json.Marshal(map[string]any{"c": cred})
	leaks(t, "JSON", string(asJSON))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", cred, "p", &cred)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "c", cred, "s", struct{ C rpc.Credentials }{cred})
	leaks(t, "slog", log.String())
	if err != nil {
		t.Fatal(err)
	}
}

// call makes one call to a handler over a real socket.
func call(t *testing.T, handler http.HandlerFunc, decode func(io.Reader) error) error {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	client, err := rpc.New(rpc.Options{
		Endpoint: server.URL, Version: "2020-04-07", RegionID: "cn-hangzhou",
		Transport: rpc.NewTransport(1, nil), Timeout: time.Minute, UserAgent: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Call(t.Context(), rpc.NewCredentials(canaryID, canarySecret, canaryToken), "ListWorkerResource",
		map[string]string{"JobId": "8888"}, decode)
	return err
}

func discard(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

func TestErrorsAreOneLineWithoutSecrets(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"Code": "SignatureDoesNotMatch", "RequestId": "R-1",
			"Message": "not matched\nserver string to sign is:" + r.URL.RawQuery + canarySecret,
		})
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		want    reason.Reason
	}{
		"echo": {echo, reason.Auth},
		"message with the key": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(403)
			fmt.Fprintf(w, `{"Code":"Forbidden.RAM","Message":"%s may not\tcall http://x/?%s"}`, canaryID, r.URL.RawQuery)
		}, reason.Forbidden},
		"numeric code": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			fmt.Fprint(w, `{"Code":500,"Message":{"a":1},"AccessDeniedDetail":"x"}`)
		}, reason.ServerError},
		"html": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(502)
			fmt.Fprint(w, "<html>"+r.URL.RawQuery)
		}, reason.ServerError},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/?"+r.URL.RawQuery, http.StatusFound)
		}, reason.BadRequest},
		"reset": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, reason.Network},
		"torn": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "{")
		}, reason.Network},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, reason.Decode},
	} {
		t.Run(name, func(t *testing.T) {
			err := call(t, test.handler, discard)
			if got := reason.Of(err); got != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
				leaks(t, verb, fmt.Sprintf(verb, err))
			}
			if strings.ContainsAny(fmt.Sprint(err), "\n\t\r") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

// TestWhatStandsBetween has the answers of what is not the API, and says so.
func TestWhatStandsBetween(t *testing.T) {
	const page = "answered with a web page: something stands between the exporter and the API, such as a proxy, a firewall or a login page"
	const redirect = "answered with a redirect, which is not followed: something stands between the exporter and the API, such as a proxy, a firewall or a login page"
	for name, test := range map[string]struct {
		status int
		body   string
		reason reason.Reason
		want   string
	}{
		"firewall":            {403, "<html><body>Forbidden</body></html>", reason.BadRequest, page + " (HTTP 403)"},
		"login page":          {401, "\n<!DOCTYPE HTML PUBLIC><HTML>", reason.BadRequest, page + " (HTTP 401)"},
		"login page, good":    {200, "\xef\xbb\xbf<!doctype html><title>Sign in</title>", reason.Decode, page},
		"script":              {200, "<script>location='https://portal'</script>", reason.Decode, page},
		"XHTML":               {403, "<?xml version='1.0' encoding='UTF-8'?>\n<!DOCTYPE html PUBLIC>", reason.BadRequest, page + " (HTTP 403)"},
		"XHTML, good":         {200, "<?xml version='1.0'?><html><body>Sign in</body></html>", reason.Decode, page},
		"a heading alone":     {403, "<h1>403 Forbidden</h1>", reason.BadRequest, page + " (HTTP 403)"},
		"flow control":        {429, "<html>slow down</html>", reason.Throttled, page + " (HTTP 429)"},
		"load balancer":       {502, "<html><head><title>502 Bad Gateway</title></head>", reason.ServerError, page + " (HTTP 502)"},
		"portal":              {302, "<a href=x>Found</a>", reason.BadRequest, redirect + " (HTTP 302)"},
		"proxy":               {407, "<html>Squid</html>", reason.BadRequest, "the proxy refused the connection with status 407 Proxy Authentication Required (HTTP 407)"},
		"text":                {403, "denied", reason.BadRequest, "answered without an error message (HTTP 403)"},
		"XML":                 {403, "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", reason.BadRequest, "answered without an error message (HTTP 403)"},
		"JSON without a code": {403, `{"message":"no"}`, reason.Forbidden, "no (HTTP 403)"},
		"JSON of a gateway":   {401, `{"error":"x"}`, reason.Auth, "answered without an error message (HTTP 401)"},
		"JSON in small":       {403, `{"code":"Whatever","message":"no"}`, reason.Forbidden, "Whatever: no (HTTP 403)"},
	} {
		err := call(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		}, func(r io.Reader) error { return json.NewDecoder(r).Decode(&struct{}{}) })
		if got := reason.Of(err); got != test.reason || err.Error() != test.want {
			t.Errorf("%s: got %s, %q; want %s, %q", name, got, err, test.reason, test.want)
		}
	}
}

func TestTransportErrorsHideTheURL(t *testing.T) {
	client, err := rpc.New(rpc.Options{
		Endpoint: "http://127.0.0.1:1", Version: "2020-04-07", RegionID: "cn-hangzhou",
		Transport: rpc.NewTransport(1, nil), Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Call(t.Context(), rpc.NewCredentials(canaryID, canarySecret, canaryToken), "X", nil, discard)
	if got := reason.Of(err); got != reason.Network {
		t.Errorf("got %s, want network", got)
	}
	leaks(t, "refused", fmt.Sprintf("%v %+v %#v", err, err, err))
}

func TestCancellationAndDeadline(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	server := httptest.NewServer(http.HandlerFunc(hang))
	defer server.Close()
	for name, test := range map[string]struct {
		timeout time.Duration
		ctx     func() (context.Context, context.CancelFunc)
		want    error
		why     reason.Reason
	}{
		"cancelled": {time.Minute, func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(20*time.Millisecond, cancel)
			return ctx, cancel
		}, context.Canceled, ""},
		"deadline of the caller": {time.Minute, func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 20*time.Millisecond)
		}, context.DeadlineExceeded, reason.Timeout},
		"timeout of the call": {100 * time.Millisecond, func() (context.Context, context.CancelFunc) {
			return context.WithCancel(t.Context())
		}, nil, reason.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := rpc.New(rpc.Options{
				Endpoint: server.URL, Version: "2020-04-07", RegionID: "cn-hangzhou",
				Transport: rpc.NewTransport(1, nil), Timeout: test.timeout,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := test.ctx()
			defer cancel()
			_, err = client.Call(ctx, rpc.NewCredentials("a", "b", ""), "X", nil, discard)
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if got := reason.Of(err); got != test.why {
				t.Errorf("got reason %q, want %q", got, test.why)
			}
		})
	}
}

func TestNewRefusesEndpoints(t *testing.T) {
	for _, endpoint := range []string{"", "cas.aliyuncs.com", "ftp://x", "https://", "://"} {
		if _, err := rpc.New(rpc.Options{Endpoint: endpoint}); err == nil {
			t.Errorf("%q was accepted", endpoint)
		}
	}
}

// TestAnswer: what an answer says beside its body is known of good answers and of
// refusals, and repeats no secret.
func TestAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		status          int
		date, requestID string
		want            rpc.Answer
	}{
		"good":    {200, "Wed, 25 Nov 2026 21:00:00 GMT", "5E0F-1", rpc.Answer{RequestID: "5E0F-1", Date: time.Date(2026, 11, 25, 21, 0, 0, 0, time.UTC)}},
		"refusal": {403, "Wed, 25 Nov 2026 21:00:00 GMT", "5E0F-2", rpc.Answer{RequestID: "5E0F-2", Date: time.Date(2026, 11, 25, 21, 0, 0, 0, time.UTC)}},
		"bare":    {200, "", "", rpc.Answer{}},
		"hostile": {200, "tomorrow", "a\tb " + canarySecret, rpc.Answer{RequestID: "a b [hidden]"}},
	} {
		before := time.Now()
		client, err := rpc.New(rpc.Options{
			Endpoint: "https://cas.aliyuncs.com", Version: "2020-04-07", RegionID: "cn-hangzhou", Timeout: time.Minute,
			Transport: answering{&http.Response{
				StatusCode: c.status, Header: http.Header{"Date": {c.date}, "X-Acs-Request-Id": {c.requestID}},
				Body: io.NopCloser(strings.NewReader("{}")),
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := client.Call(t.Context(), rpc.NewCredentials(canaryID, canarySecret, canaryToken), "X", nil, discard)
		if got.Arrived.Before(before) || got.Arrived.After(time.Now()) {
			t.Errorf("%s: arrived at %v", name, got.Arrived)
		}
		if got.Arrived = (time.Time{}); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}
