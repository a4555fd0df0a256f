package cas_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/cas"
)

// hourly gives a key for each hour.
type hourly struct{}

func (hourly) Credentials(context.Context) (rpc.Credentials, error) {
	return rpc.NewCredentials(time.Now().UTC().Format("2006-01-02T15"), "secret", ""), nil
}
func (hourly) Invalidate()                 {}
func (hourly) RequestDone(cas.Request)     {}
func (hourly) LimiterWaited(time.Duration) {}
func (hourly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("AccessKeyId") != time.Now().UTC().Format("2006-01-02T15") {
		return &http.Response{StatusCode: 403, Body: io.NopCloser(strings.NewReader(`{"Code":"InvalidSecurityToken.Expired"}`))}, nil
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"WorkerCount":1}`))}, nil
}

// TestCredentialsDoNotExpireInTheQueue: the limiter holds calls back for longer
// than the credentials of the moment last.
func TestCredentialsDoNotExpireInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := cas.New(cas.Options{
			Endpoint: "https://cas.aliyuncs.com", RegionID: "cn-hangzhou", Transport: hourly{}, Provider: hourly{}, Observer: hourly{},
			RequestTimeout: time.Second, RequestsPerSecond: 1.0 / 2400, Concurrency: 1, MaxAttempts: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if _, err := client.CountJob(t.Context(), 8888); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		}
	})
}

// TestTimes are read in every notation of a number, and never guessed.
func TestTimes(t *testing.T) {
	at := time.UnixMilli(1680228896000).UTC()
	for text, want := range map[string]time.Time{
		`1680228896000`: at, `"1680228896000"`: at, `1680228896`: at, `"1680228896"`: at,
		`1680228896000.0`: at, `1.680228896E12`: at, `"1.680228896e+12"`: at, `1680228896.5`: at,
		`100000000000`: time.Unix(1e11, 0).UTC(), `100000000001`: time.UnixMilli(1e11 + 1).UTC(),
		`31536000`: time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC), `31535999`: {}, `1000`: {}, `"1"`: {},
		`0`: {}, `-1`: {}, `-1.5`: {}, `0.5`: {}, `null`: {}, `""`: {}, `"yesterday"`: {}, `"2023-03-31T02:14:56Z"`: {},
		`"NaN"`: {}, `"Infinity"`: {}, `1e300`: {}, `1e17`: {}, `true`: {}, `[1]`: {},
	} {
		body := fmt.Sprintf(`{"Total":1,"Data":[{"Id":1,"GmtModified":%s}]}`, text)
		page, err := new(cas.Client).DecodeWorkers(strings.NewReader(body), 1)
		if err != nil || !page.Workers[0].Modified.Equal(want) {
			t.Errorf("%s: got %v, %v, want %v", text, page.Workers, err, want)
		}
	}
}
