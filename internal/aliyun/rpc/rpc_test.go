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
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/reason"
)

// TestSignatureVectors holds the client against signatures that were computed
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
		if got := rpc.Classify(test.status, test.code); got != test.want {
			t.Errorf("HTTP %d %q: got %s, want %s", test.status, test.code, got, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, value string
		want        time.Duration
	}{
		{"X-Acs-Retry-After", "2", 2 * time.Second},
		{"X-Acs-Retry-After", "0.25", 250 * time.Millisecond},
		{"Retry-After", "7", 7 * time.Second},
		{"Retry-After", "Mon, 23 Nov 2026 08:00:09 GMT", 9 * time.Second},
		{"Retry-After", "Mon, 23 Nov 2026 07:00:00 GMT", 0},
		{"Retry-After", "1e300", 10 * time.Minute},
		{"Retry-After", "-5", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "soon", 0},
		{"Retry-After", "", 0},
	} {
		got := rpc.RetryAfter(http.Header{test.name: {test.value}}, now)
		if got != test.want {
			t.Errorf("%s: %q: got %v, want %v", test.name, test.value, got, test.want)
		}
	}
}

// TestRetryAfterByAWrongClock reads a date by the API's own clock, which wrote it.
func TestRetryAfterByAWrongClock(t *testing.T) {
	for _, clock := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
		sent := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
		got := rpc.RetryAfter(http.Header{
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
		Transport: rpc.NewTransport(1), Timeout: time.Minute, UserAgent: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return client.Call(t.Context(), rpc.NewCredentials(canaryID, canarySecret, canaryToken), "ListWorkerResource",
		map[string]string{"JobId": "8888"}, decode)
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

func TestTransportErrorsHideTheURL(t *testing.T) {
	client, err := rpc.New(rpc.Options{
		Endpoint: "http://127.0.0.1:1", Version: "2020-04-07", RegionID: "cn-hangzhou",
		Transport: rpc.NewTransport(1), Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	err = client.Call(t.Context(), rpc.NewCredentials(canaryID, canarySecret, canaryToken), "X", nil, discard)
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
				Transport: rpc.NewTransport(1), Timeout: test.timeout,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := test.ctx()
			defer cancel()
			err = client.Call(ctx, rpc.NewCredentials("a", "b", ""), "X", nil, discard)
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
