package rpc_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/reason"
)

// FuzzRetryAfter reads any hint as a wait that is bounded and never negative.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, acs, standard string) {
		got, _ := rpc.RetryAfter(http.Header{"X-Acs-Retry-After": {acs}, "Retry-After": {standard}}, now)
		if got < 0 || got > 10*time.Minute {
			t.Errorf("%q, %q: got %v", acs, standard, got)
		}
	})
}

type answering struct{ resp *http.Response }

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a.resp, nil }

// FuzzRefused reads any refusal as one line of bounded length with a reason and no
// credentials, although each answer repeats them.
func FuzzRefused(f *testing.F) {
	f.Fuzz(func(t *testing.T, status int, header string, before, after []byte) {
		if status < 300 || status > 599 {
			return
		}
		client, err := rpc.New(rpc.Options{
			Endpoint: "https://cas.aliyuncs.com", Version: "2020-04-07", RegionID: "cn-hangzhou", Timeout: time.Minute,
			Transport: answering{&http.Response{
				StatusCode: status, Header: http.Header{"Retry-After": {header}},
				Body: io.NopCloser(io.MultiReader(bytes.NewReader(before), strings.NewReader(canarySecret+canaryToken+canaryID), bytes.NewReader(after))),
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Call(t.Context(), rpc.NewCredentials(canaryID, canarySecret, canaryToken), "X", nil, nil)
		if err == nil {
			t.Fatal("no error")
		}
		text := err.Error()
		if !slices.Contains(reason.All(), reason.Of(err)) || reason.Of(err) == reason.Timeout {
			t.Errorf("reason %q of %q", reason.Of(err), text)
		}
		if strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) || len(text) > 1500 {
			t.Errorf("not one short line: %q", text)
		}
		for _, secret := range []string{canarySecret, canaryToken, canaryID} {
			for i := range len(secret) - 7 {
				if strings.Contains(text, secret[i:i+8]) {
					t.Errorf("%q holds %q", text, secret[i:i+8])
				}
			}
		}
	})
}
