package app_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"aliyun_cas_exporter/internal/app"
	"aliyun_cas_exporter/internal/proctest"
	"aliyun_cas_exporter/internal/simulator"
)

// The exit statuses that service managers and scripts see.
const (
	exitOK       = 0
	exitFailed   = 1
	exitSettings = 2
)

// environment sets what the program needs to watch a simulator, and nothing else.
func environment(t *testing.T, endpoint string, more map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "CAS_") || strings.HasPrefix(name, "ALIBABA_CLOUD_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	for name, value := range map[string]string{
		"CAS_ENDPOINT": endpoint, "CAS_REQUESTS_PER_SECOND": "1000",
		"ALIBABA_CLOUD_ACCESS_KEY_ID": simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": simulator.DemoAccessKeySecret,
	} {
		t.Setenv(name, value)
	}
	for name, value := range more {
		t.Setenv(name, value)
	}
}

// heavy leaves a test that costs seconds of CPU to the properties' part of CI.
func heavy(t *testing.T) {
	t.Helper()
	if os.Getenv("PROPERTY_ROUNDS") == "" {
		t.Skip("run `make properties`")
	}
}

// program runs the program and returns what it printed.
func program(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, log bytes.Buffer
	status = app.Run(ctx, args, &out, &log)
	return status, out.String(), log.String()
}

// anyPort lets the program choose where it listens: a port that a test finds free can
// be taken a moment later.
const anyPort = "127.0.0.1:0"

// serving is the program while it serves.
type serving struct {
	log    proctest.Output
	stop   context.CancelFunc
	ended  chan struct{}
	status int
	stdout bytes.Buffer // once it has ended
}

// serve runs the program at most until the test ends.
func serve(t *testing.T, args ...string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &serving{stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		s.status = app.Run(ctx, args, &s.stdout, &s.log)
	}()
	t.Cleanup(func() {
		cancel()
		<-s.ended
	})
	return s
}

// until waits until something is so: a machine may be busy with other work.
func (s *serving) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		select {
		case <-s.ended:
			t.Fatalf("the program ended with status %d\n%s", s.status, s.log.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited two minutes until %s\n%s", what, s.log.String())
		}
	}
}

// address waits until the program listens and returns where.
func (s *serving) address(t *testing.T) (address string) {
	t.Helper()
	s.until(t, "it listens", func() bool {
		_, said, listens := strings.Cut(s.log.String(), "listening on")
		address = regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(said)
		return listens && address != ""
	})
	return address
}

// TestDemoHosts: the demo has hosts that can be probed only where probing is on and their CA can be handed out, which does
// not outlast them.
func TestDemoHosts(t *testing.T) {
	for name, c := range map[string]struct {
		most, below string
		want        int // jobs with hosts
		says        string
	}{
		"probed":     {"3", "", 1, "hosts of the demo can be probed"},
		"not probed": {"0", "", 0, ""},
		"no file":    {"3", "/nowhere", 0, "no host of the demo can be probed"},
	} {
		t.Run(name, func(t *testing.T) {
			temporary := t.TempDir()
			environment(t, "", map[string]string{"CAS_PROBE_TARGETS_PER_JOB": c.most, "TMPDIR": temporary + c.below})
			status, stdout, stderr := program(t.Context(), "--demo", "--once")
			if status != exitOK {
				t.Fatalf("status %d, want %d\n%s", status, exitOK, stderr)
			}
			if got := strings.Count(stdout, `job_name="served-example-com"`); got != c.want {
				t.Errorf("%d jobs with hosts, want %d", got, c.want)
			}
			if got := strings.Contains(stderr, "hosts of the demo") || strings.Contains(stderr, "host of the demo"); got != (c.says != "") || !strings.Contains(stderr, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, stderr)
			}
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("files are left: %v %v", left, err)
			}
		})
	}
}

func TestOnce(t *testing.T) {
	sim := simulator.Demo(1, time.Now)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.UserAgent(), "aliyun_cas_exporter/devel"; got != want { // tests have no version
			t.Errorf("User-Agent %q, want %q", got, want)
		}
		sim.ServeHTTP(w, r)
	}))
	defer api.Close()
	environment(t, api.URL, map[string]string{"CAS_REQUESTS_PER_SECOND": "500"})
	status, stdout, stderr := program(t.Context(), "--once")
	if status != exitOK {
		t.Fatalf("status %d, want %d\n%s", status, exitOK, stderr)
	}
	families, whole := strings.CutSuffix(stdout, "# EOF\n")
	if !whole {
		t.Error("the output does not end with # EOF")
	}
	for line := range strings.Lines(families) {
		if !strings.HasPrefix(strings.TrimLeft(line, "# HELPTY"), "aliyun_cas_") {
			t.Errorf("not ours: %s", line)
		}
	}
	requests := 0
	for _, n := range sim.Calls() {
		requests += n
	}
	cost := fmt.Sprintf(`msg="use of the api by this run" jobs=%d requests=%d duration_seconds=`, len(sim.Jobs()), requests)
	if strings.Count(stderr, cost) != 1 || strings.Contains(stderr, "_per_hour") || strings.Contains(stderr, "_per_interval") {
		t.Errorf("the log does not say once what the run cost, %q, and nothing of an hour:\n%s", cost, stderr)
	}
	if !strings.Contains(stdout, `status="error"`) {
		t.Error("no worker in error")
	}
	if err := sim.Inject("not-found", simulator.Match{Action: "ListWorkerResource", JobID: 240510}); err != nil {
		t.Fatal(err)
	}
	if status, stdout, _ := program(t.Context(), "--once"); status != exitFailed || !strings.Contains(stdout, `aliyun_cas_deployment_job_up{job_id="240510"} 0`) || !strings.HasSuffix(stdout, "# EOF\n") {
		t.Errorf("with a failing job: status %d, want %d", status, exitFailed)
	}
}

func TestBadSettingsAreReportedAtOnce(t *testing.T) {
	environment(t, "ftp://x", map[string]string{
		"CAS_POLL_INTERVAL": "soon", "CAS_REQUESTS_PER_SECOND": "-1", "CAS_STATUSES": "broken", "CAS_JOB_IDS": "8888,abc",
	})
	status, stdout, stderr := program(t.Context())
	if status != exitSettings || stdout != "" {
		t.Errorf("status %d, printed %q; want %d and nothing", status, stdout, exitSettings)
	}
	for _, name := range []string{"CAS_ENDPOINT", "CAS_POLL_INTERVAL", "CAS_REQUESTS_PER_SECOND", "CAS_STATUSES", "CAS_JOB_IDS"} {
		if !strings.Contains(stderr, name+":") {
			t.Errorf("%s is not named:\n%s", name, stderr)
		}
	}
}

func TestModes(t *testing.T) {
	environment(t, "https://cas.aliyuncs.com", nil)
	for flag, want := range map[string]string{
		"--help": "CAS_POLL_INTERVAL", "--version": "aliyun_cas_exporter, version", "--check-config": "CAS_MAX_STALENESS=10m\n",
	} {
		status, stdout, stderr := program(t.Context(), flag)
		if status != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("%s: status %d, want %q in:\n%s%s", flag, status, want, stdout, stderr)
		}
		if strings.Contains(stdout, simulator.DemoAccessKeySecret) {
			t.Errorf("%s prints the secret", flag)
		}
	}
}

// TestTerminationDuringASweep ends the program while 2,000 slow pages are read.
func TestTerminationDuringASweep(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	sim := simulator.New(simulator.Options{Latency: 200 * time.Millisecond})
	sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, make2000Pages())
	api := httptest.NewServer(sim)
	defer api.Close()
	environment(t, api.URL, map[string]string{"CAS_JOB_IDS": "8888", "CAS_WEB_LISTEN_ADDRESS": anyPort})
	s := serve(t)
	s.until(t, "the sweep is under way", func() bool { return sim.Calls()["ListWorkerResource"] >= 5 })
	told := time.Now()
	s.stop()
	<-s.ended
	// What is left of the sweep takes more than a minute.
	if took := time.Since(told); s.status != exitOK || took > 10*time.Second {
		t.Errorf("ended after %v with status %d\n%s", took, s.status, s.log.String())
	}
	if calls := sim.Calls()["ListWorkerResource"]; calls > 1999 {
		t.Errorf("%d pages were read: the sweep was not under way", calls)
	}
}

func make2000Pages() []simulator.Worker {
	workers := make([]simulator.Worker, 100_000)
	for i := range workers {
		workers[i] = simulator.Worker{ID: int64(i + 1), Status: "pending", CloudProduct: "CDN"}
	}
	return workers
}

func TestUnreachableAPIIsNotFatal(t *testing.T) {
	environment(t, "http://127.0.0.1:1", map[string]string{"CAS_JOB_IDS": "8888", "CAS_WEB_LISTEN_ADDRESS": anyPort, "CAS_MAX_ATTEMPTS": "1"})
	s := serve(t)
	s.until(t, "the poll fails", func() bool { return strings.Contains(s.log.String(), "reason=network") })
	s.stop()
	if <-s.ended; s.status != exitOK {
		t.Errorf("status %d\n%s", s.status, s.log.String())
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	environment(t, "http://127.0.0.1:1", map[string]string{"CAS_WEB_LISTEN_ADDRESS": l.Addr().String()})
	status, _, stderr := program(t.Context())
	if status != exitFailed || !strings.Contains(stderr, "address already in use") || strings.Count(stderr, `"exporter failed"`) != 1 {
		t.Errorf("status %d, want %d and one end\n%s", status, exitFailed, stderr)
	}
}

func TestHealthcheck(t *testing.T) {
	served := func(status int) string {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/-/healthy" {
				status = http.StatusNotFound
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(web.Close)
		return strings.TrimPrefix(web.URL, "http://")
	}
	_, port, _ := net.SplitHostPort(served(http.StatusOK))
	webConfig := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(webConfig, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		address, webConfig string
		want               int
	}{
		"any address":              {":" + port, "", exitOK},
		"any IPv6 address":         {"[::]:" + port, "", exitOK},
		"one address":              {served(http.StatusOK), "", exitOK},
		"another address":          {"127.0.0.2:" + port, "", exitFailed},
		"unhealthy":                {served(http.StatusInternalServerError), "", exitFailed},
		"nothing listens":          {"127.0.0.1:1", "", exitFailed},
		"TLS or a password":        {served(http.StatusUnauthorized), webConfig, exitOK},
		"nothing listens with TLS": {"127.0.0.1:1", webConfig, exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			// The demo has no key, and must be found healthy all the same.
			environment(t, "", map[string]string{
				"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "",
				"CAS_WEB_LISTEN_ADDRESS": c.address, "CAS_WEB_CONFIG_FILE": c.webConfig,
			})
			if got, _, stderr := program(t.Context(), "--healthcheck"); got != c.want {
				t.Errorf("status %d, want %d\n%s", got, c.want, stderr)
			}
		})
	}
}
