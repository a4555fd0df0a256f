package collector_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
	"aliyun_cas_exporter/internal/simulator"
)

// TestAPIUp meets each fault with every action: what the last request was answered, and
// whether that was an answer of the API.
func TestAPIUp(t *testing.T) {
	down := []string{
		// no whole answer
		"reset", "slow-body", "slow-headers", "truncated-body",
		// the key
		"clock-skew", "disabled-key", "expired-token", "nonce-used", "sts-token-invalid", "token-expired", "unauthenticated",
		"unknown-401", "wrong-key", "wrong-signature",
		// the server
		"code-500-in-200", "error-500", "error-503", "html-502", "numeric-code", "object-message", "unknown-error-in-200",
		// something else, as far as can be seen
		"deep-json", "empty-200", "endless-body", "endless-rows", "endless-string", "gzip-bomb", "html-200", "html-401", "html-403",
		"html-407", "json-403", "json-array", "json-null", "no-content-204", "not-json", "oversized-body", "redirect",
		"throttle-429-no-code", "throttle-429-page",
	}
	bounded := regexp.MustCompile(`^[A-Za-z0-9._-]{0,64}$`)
	for _, name := range simulator.FaultNames() {
		if slices.Contains(immense(), name) {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, crowded(10), func(s *settings) {
				s.account.JobIDs, s.MaxAttempts = []int64{8888}, 1
			})
			if got := r.value(t, "api_up"); got != "absent" {
				t.Errorf("before the first request: %s, want absent", got)
			}
			_ = r.sim.Inject(name, simulator.Match{})
			r.Poll(t.Context())
			want := map[bool]string{true: "0", false: "1"}[slices.Contains(down, name)]
			if got := r.value(t, "api_up"); got != want {
				t.Errorf("%s: api_up %s, want %s\n%s", name, got, want, r.log)
			}
			for _, code := range codes(t, r) {
				if !bounded.MatchString(code) {
					t.Errorf("%s: code %q", name, code)
				}
			}
		})
	}
}

// crowded has a job of n workers.
func crowded(n int) *simulator.Simulator {
	sim := simulator.New(simulator.Options{Now: time.Now})
	sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, crowd(n))
	return sim
}

// codes returns the codes of the last errors.
func codes(t *testing.T, r *rig) (found []string) {
	t.Helper()
	for _, s := range r.series(t, "api_last_error_info") {
		found = append(found, s.labels["code"])
	}
	return found
}

// TestLastError: an error is shown until its action succeeds, not that of another, and
// an error that follows takes its place.
func TestLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, crowded(10), discovering)
		shown := func(want ...string) {
			t.Helper()
			r.Poll(t.Context())
			var got []string
			for line := range strings.Lines(r.expose(t)) {
				if series, ok := strings.CutPrefix(line, "aliyun_cas_api_last_error_info"); ok {
					got = append(got, strings.TrimSpace(series))
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			time.Sleep(time.Minute)
		}
		shown()
		_ = r.sim.Inject("forbidden", simulator.Match{Action: "ListWorkerResource"})
		workers := `{action="ListWorkerResource",code="Forbidden.RAM",reason="forbidden"} 1`
		shown(workers)
		if got := r.value(t, "api_up"); got != "1" {
			t.Errorf("api_up %s: the API answered", got)
		}
		_ = r.sim.Inject("error-503", simulator.Match{Action: "ListDeploymentJob"})
		listing := `{action="ListDeploymentJob",code="ServiceUnavailable",reason="server_error"} 1`
		shown(listing, workers)
		r.sim.ClearFaults()
		_ = r.sim.Inject("reset", simulator.Match{Action: "ListDeploymentJob"})
		shown(`{action="ListDeploymentJob",code="",reason="network"} 1`) // the job's poll came later
		r.sim.ClearFaults()
		shown()
		if got := r.value(t, "api_up"); got != "1" {
			t.Errorf("api_up %s after the recovery", got)
		}
	})
}

// TestRefusedKey is known after one request, which the breaker does not repeat, and the
// recovery is.
func TestRefusedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, crowded(10), discovering)
		r.sim.SetCredentials("another", "key", "")
		for range 3 {
			r.Poll(t.Context())
			if up, code := r.value(t, "api_up"), codes(t, r); up != "0" || !slices.Equal(code, []string{"InvalidAccessKeyId.NotFound"}) {
				t.Errorf("api_up %s, codes %q", up, code)
			}
			time.Sleep(time.Minute)
		}
		if calls := r.sim.Calls()["ListDeploymentJob"]; calls != 3 {
			t.Errorf("%d requests in 3 polls", calls)
		}
		r.sim.SetCredentials(simulator.DemoAccessKeyID, simulator.DemoAccessKeySecret, "")
		r.Poll(t.Context())
		if up, code := r.value(t, "api_up"), codes(t, r); up != "1" || len(code) > 0 {
			t.Errorf("after the recovery: api_up %s, codes %q", up, code)
		}
	})
}

// TestLeavingSaysNothing: a request whose caller left tells nothing of the API.
func TestLeavingSaysNothing(t *testing.T) {
	r := &rig{own: prometheus.NewPedanticRegistry(), facts: collector.New(nil)}
	metrics := collector.NewMetrics(r.own, "", "")
	left := cas.Request{Action: "ListWorkerResource", Sent: true, Err: fmt.Errorf("page 2: %w", context.Canceled)}
	metrics.RequestDone(left)
	if got := r.value(t, "api_up"); got != "absent" {
		t.Errorf("api_up %s, want absent", got)
	}
	metrics.RequestDone(cas.Request{Action: "ListWorkerResource", Err: reason.Errorf(reason.Auth, "no credentials")})
	metrics.RequestDone(left)
	if up, code := r.value(t, "api_up"), codes(t, r); up != "0" || len(code) != 1 {
		t.Errorf("api_up %s, codes %q: want what was known before", up, code)
	}
	// There were no credentials: what was not sent is not counted as a request.
	if got := r.value(t, "api_requests_total", `action="ListWorkerResource"`); got != "2" {
		t.Errorf("%s requests, want 2", got)
	}
}

// TestErrorCodes: whoever answers chooses the code, and can repeat the key in it.
func TestErrorCodes(t *testing.T) {
	for code, want := range map[string]string{
		"Throttling.User": "Throttling.User", "": "", "a b\"c\n{é}": "a_b_c____",
		strings.Repeat("x", 65): strings.Repeat("x", 64), simulator.DemoAccessKeySecret: "_hidden_",
		"Bad." + simulator.DemoAccessKeyID: "Bad._hidden_",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, crowded(10), discovering)
			r.sim.InjectHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(400)
				_, _ = w.Write([]byte(`{"Code":` + quoted(code) + `,"RequestId":"R"}`))
			}), simulator.Match{})
			r.Poll(t.Context())
			if got := codes(t, r); !slices.Equal(got, []string{want}) {
				t.Errorf("%q: got %q, want %q", code, got, want)
			}
		})
	}
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// TestClockSkew is that of the API, not of a proxy.
func TestClockSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ahead := 10 * time.Minute
		sim := simulator.New(simulator.Options{Now: func() time.Time { return time.Now().Add(ahead) }})
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.RequestsPerSecond = 1000
		})
		skew := func(when, want string) {
			t.Helper()
			if got := r.value(t, "api_clock_skew_seconds"); got != want {
				t.Errorf("%s: %s, want %s", when, got, want)
			}
		}
		skew("before the first answer", "absent")
		r.Poll(t.Context())
		skew("ahead", "600")
		time.Sleep(time.Minute)
		ahead = -20 * time.Minute // more than the API takes: it refuses the key, and says its time
		r.Poll(t.Context())
		skew("behind", "-1200")
		ahead = 0
		_ = r.sim.Inject("html-407", simulator.Match{})
		time.Sleep(time.Minute)
		r.Poll(t.Context())
		skew("behind a proxy", "-1200")
	})
}
