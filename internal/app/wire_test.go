package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"aliyun_cas_exporter/internal/simulator"
)

// asked is a set of what a server was asked for.
type asked struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (a *asked) add(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[string]bool{}
	}
	a.seen[what] = true
}

func (a *asked) sorted() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for what := range a.seen {
		all = append(all, what)
	}
	slices.Sort(all)
	return all
}

// TestEveryRegionIsAskedForItsOwn watches a job in each of two regions: each API gets
// the name of its region and its job, at its part of the rate.
func TestEveryRegionIsAskedForItsOwn(t *testing.T) {
	var urls []string
	var calls [2]asked
	for i := range calls {
		sim := simulator.New(simulator.Options{})
		sim.PutJob(simulator.Job{ID: int64(i + 1), Status: "success"}, nil)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			calls[i].add(q.Get("RegionId") + " " + q.Get("JobId"))
			sim.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	environment(t, strings.Join(urls, ","), map[string]string{
		"CAS_REGION_ID": "cn-hangzhou,ap-southeast-1", "CAS_JOB_IDS": "cn-hangzhou/1,ap-southeast-1/2",
	})
	status, out, log := program(t.Context(), "--once")
	if status != exitOK {
		t.Fatalf("status %d\n%s", status, log)
	}
	if want := []string{"cn-hangzhou 1"}; !slices.Equal(calls[0].sorted(), want) {
		t.Errorf("the first API is asked for %q, want %q", calls[0].sorted(), want)
	}
	if want := []string{"ap-southeast-1 2"}; !slices.Equal(calls[1].sorted(), want) {
		t.Errorf("the second API is asked for %q, want %q", calls[1].sorted(), want)
	}
	if want := `aliyun_cas_api_rate_limit_requests_per_second{api_region="cn-hangzhou"} 1000`; !strings.Contains(out, want) {
		t.Errorf("%s is missing", want)
	}
	t.Setenv("CAS_TOTAL_SHARDS", "4")
	t.Setenv("CAS_SHARD", "0")
	_, out, log = program(t.Context(), "--once")
	if want := `aliyun_cas_api_rate_limit_requests_per_second{api_region="cn-hangzhou"} 250`; !strings.Contains(out, want) {
		t.Errorf("%s is missing\n%s", want, log)
	}
}

// TestTheProxyIsAsked lets the program reach the APIs of two regions, and STS, by a
// proxy: it asks for all of them.
func TestTheProxyIsAsked(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("jwt"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, more := range map[string]map[string]string{
		"CONNECT cas-1.invalid:443, CONNECT cas-2.invalid:443": {},
		"CONNECT sts.invalid:443": {
			"CAS_CREDENTIALS": "oidc", "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/x", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "p",
			"ALIBABA_CLOUD_OIDC_TOKEN_FILE": token, "ALIBABA_CLOUD_STS_ENDPOINT": "sts.invalid",
		},
	} {
		var requests asked
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.add(fmt.Sprint(r.Method, " ", r.Host))
			w.WriteHeader(http.StatusForbidden)
		}))
		t.Cleanup(proxy.Close)
		environment(t, "https://cas-1.invalid,https://cas-2.invalid", map[string]string{
			"CAS_REGION_ID": "cn-hangzhou,ap-southeast-1", "CAS_MAX_ATTEMPTS": "1", "HTTPS_PROXY": proxy.URL, "NO_PROXY": "",
		})
		for name, value := range more {
			t.Setenv(name, value)
		}
		if status, _, log := program(t.Context(), "--once"); status != exitFailed {
			t.Errorf("status %d, want %d\n%s", status, exitFailed, log)
		}
		if got := strings.Join(requests.sorted(), ", "); got != want {
			t.Errorf("the proxy is asked for %q, want %q", got, want)
		}
	}
}
