//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/proctest"
	"aliyun_cas_exporter/internal/simulator"
)

// TestTextfileInAnOutage publishes --once by a timer, as node_exporter's textfile collector
// would serve it, and takes the API away for three runs: the alert about a failed worker
// neither ends nor comes a second time.
func TestTextfileInAnOutage(t *testing.T) {
	w := newWorld(t)
	w.api.PutJob(rollout(8888, "renewal-example-com"))
	file := filepath.Join(t.TempDir(), "aliyun_cas_exporter.prom")
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		text, _ := os.ReadFile(file)
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = rw.Write(text)
	}))
	t.Cleanup(server.Close)

	var runs atomic.Int32
	run := func(ctx context.Context) {
		cmd := exec.CommandContext(ctx, program(t, "E2E_EXPORTER"), "--once", "--once.previous="+file)
		cmd.Env = []string{
			"CAS_ENDPOINT=" + w.apiURL, "CAS_POLL_INTERVAL=20s", "CAS_MAX_STALENESS=1m", "CAS_MAX_ATTEMPTS=1", fmt.Sprintf("CAS_REQUESTS_PER_SECOND=%d", limit),
			"ALIBABA_CLOUD_ACCESS_KEY_ID=" + simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + simulator.DemoAccessKeySecret,
		}
		text, _ := cmd.Output() // it fails in the outage
		if strings.HasSuffix(string(text), "# EOF\n") {
			w.write(file, "%s", text)
			runs.Add(1)
		}
	}
	run(t.Context())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // the timer
		defer close(ended)
		for ctx.Err() == nil {
			run(ctx)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	w.scrape(&proctest.Process{Address: strings.TrimPrefix(server.URL, "http://")})
	alert := w.fails(8888)

	if err := w.api.Inject("error-503", simulator.Match{}); err != nil {
		t.Fatal(err)
	}
	began := runs.Load()
	await(t, "three runs in the outage", func() string {
		if n := runs.Load() - began; n < 4 { // the first may have begun before it
			return fmt.Sprintf("%d runs", n)
		}
		return ""
	})
	w.sees(`aliyun_cas_deployment_job_up`, "job_id", map[string]float64{"8888": 0})
	w.sees(`sum by (job_id) (aliyun_cas_deployment_workers{status="error"})`, "job_id", map[string]float64{"8888": 1})
	w.stands(alert)
	w.api.ClearFaults()
	w.sees(`aliyun_cas_deployment_job_up`, "job_id", map[string]float64{"8888": 1})
	w.stands(alert)

	w.becomes(8888, "success", time.Now())
	w.hook.resolved(t, alert)
	w.only(workersFailed)
}
