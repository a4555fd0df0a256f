package cas_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// TestRequests: the observer learns of each request what it needs to say what is wrong.
func TestRequests(t *testing.T) {
	const date, requestID = "Sat, 01 Jan 2000 00:00:10 GMT", "REQ-HEADER" // a bubble begins 10 s earlier
	skew := 10 * time.Second
	answer := func(status int, header http.Header, body string) roundTrip {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
	}
	full := http.Header{"Date": {date}, "X-Acs-Request-Id": {requestID}}
	for name, c := range map[string]struct {
		api     roundTrip
		missing error // instead of credentials
		want    cas.Request
		reason  reason.Reason
	}{
		"success": {answer(200, full, good), nil, cas.Request{Sent: true, RequestID: requestID, Skew: &skew}, ""},
		"refusal": {
			answer(403, full, `{"Code":"NoPermission","RequestId":"REQ-BODY"}`), nil,
			cas.Request{Sent: true, Code: "NoPermission", RequestID: "REQ-BODY", Skew: &skew},
			reason.Forbidden,
		},
		"refusal with status 200": {
			answer(200, full, `{"Code":"Surprise","RequestId":"REQ-BODY"}`), nil,
			cas.Request{Sent: true, Code: "Surprise", RequestID: "REQ-BODY", Skew: &skew},
			reason.ServerError,
		},
		"no date":  {answer(200, http.Header{}, good), nil, cas.Request{Sent: true}, ""},
		"bad date": {answer(200, http.Header{"Date": {"now"}}, good), nil, cas.Request{Sent: true}, ""},
		// The clock of a proxy is not the API's.
		"web page":  {answer(407, http.Header{"Date": {date}}, "<html>"), nil, cas.Request{Sent: true}, reason.BadRequest},
		"undecoded": {answer(200, full, "{}"), nil, cas.Request{Sent: true, RequestID: requestID}, reason.Decode},
		"undecoded, known by its body": {
			answer(200, http.Header{}, `{"Data":5,"RequestId":"REQ-BODY"}`), nil,
			cas.Request{Sent: true, RequestID: "REQ-BODY"},
			reason.Decode,
		},
		"no total, known by its body": {
			answer(200, http.Header{}, `{"RequestId":"REQ-BODY","Data":[]}`), nil,
			cas.Request{Sent: true, RequestID: "REQ-BODY"},
			reason.Decode,
		},
		"network": {
			func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset by peer") }, nil,
			cas.Request{Sent: true},
			reason.Network,
		},
		"no credentials": {nil, errors.New("no file"), cas.Request{}, reason.Auth},
		"no role":        {nil, rpc.Refused(403, "NoPermission", "no", "REQ-STS"), cas.Request{Code: "NoPermission", RequestID: "REQ-STS"}, reason.Auth},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &api{missing: c.missing}
			client := newClient(t, a, func(o *cas.Options) { o.Transport, o.MaxAttempts = c.api, 1 })
			_, err := client.ListWorkers(t.Context(), cas.WorkerQuery{JobID: 8888, Page: 3, Size: 50}, nil)
			c.want.Action, c.want.JobID, c.want.Page = "ListWorkerResource", "8888", "3"
			if diff := cmp.Diff([]cas.Request{c.want}, a.done, cmpopts.IgnoreFields(cas.Request{}, "Err")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if got := a.done[0].Err; !errors.Is(err, got) || reason.Of(got) != c.reason {
				t.Errorf("%s: reported %v, want %v", name, got, err)
			}
		})
	}
}

// TestRequestsThatNobodySent: an open breaker, and a caller who leaves, say nothing of
// the API.
func TestRequestsThatNobodySent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &api{answer: func(int) (int, string, string) { return 404, "", refusal("InvalidAccessKeyId.NotFound") }}
		client := newClient(t, a, nil)
		for range 3 {
			if err := call(t.Context(), client); reason.Of(err) != reason.Auth {
				t.Errorf("got %v", err)
			}
		}
		if len(a.done) != 1 {
			t.Errorf("%d requests are reported, want the one that opened the breaker", len(a.done))
		}
		a = &api{latency: time.Hour}
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		client = newClient(t, a, func(o *cas.Options) {
			o.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		})
		cancelled, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Millisecond, cancel)
		if err := call(cancelled, client); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if len(a.done) != 1 || !errors.Is(a.done[0].Err, context.Canceled) {
			t.Errorf("reported %+v, want one that was cancelled", a.done)
		}
	})
}
