package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/config"
	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/simulator"
)

// oneKey provides one key for ever.
type oneKey struct{ key rpc.Credentials }

func (k oneKey) Credentials(context.Context) (rpc.Credentials, error) { return k.key, nil }
func (oneKey) Invalidate()                                            {}

// TestTextfileMinuteByMinute runs --once as a timer of 15 minutes does, on 1,000 finished
// jobs, two of which have failed workers. Then it takes the API away for an hour and
// runs every five minutes, and each minute while data grow stale. What is published is
// logged and judged: no fact disappears before it is stale, and none stays that was repaired.
func TestTextfileMinuteByMinute(t *testing.T) {
	if os.Getenv("PROPERTY_ROUNDS") == "" {
		t.Skip("run `make properties`")
	}
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", simulator.DemoAccessKeyID)
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", simulator.DemoAccessKeySecret)
	t.Setenv("CAS_POLL_INTERVAL", "15m") // data are stale after 45
	path := filepath.Join(t.TempDir(), "aliyun_cas_exporter.prom")
	s, err := config.Load([]string{"--once", "--once.previous=" + path})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		hourAgo := time.Now().Add(-time.Hour)
		for id := int64(1); id <= 1000; id++ {
			sim.PutJob(simulator.Job{ID: id, Name: "n", Status: "success", Modified: hourAgo},
				[]simulator.Worker{{ID: id, Status: "success", CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: hourAgo}})
		}
		turn := func(job int64, status string) {
			sim.UpdateWorker(job, job, func(w *simulator.Worker) { w.Status = status })
		}
		turn(3, "error")
		turn(700, "error")

		var lines []string
		last := ""
		run := func(when string) published {
			p := publish(t, s, sim, path)
			if text := p.String(); text != last {
				lines, last = append(lines, fmt.Sprintf("%-11s %s", when+":", text)), text
			}
			return p
		}
		began := time.Now()
		if p := run("before"); p.failed != 2 || p.counted != 1000 || p.up != 1000 {
			t.Errorf("before the outage: %s", p)
		}
		reading := time.Since(began)
		began = time.Now()
		if err := sim.Inject("error-503", simulator.Match{}); err != nil {
			t.Fatal(err)
		}
		for minute := 1; minute <= 60; minute++ {
			if (minute < 35 || minute > 47) && minute%5 != 0 {
				continue // nothing changes
			}
			time.Sleep(time.Until(began.Add(time.Duration(minute) * time.Minute)))
			p := run(fmt.Sprintf("minute %d", minute))
			kept := time.Since(began)+reading < 45*time.Minute
			gone := time.Since(began) > 46*time.Minute
			if p.apiUp != "0" || p.listing != "0" || p.jobs != "1000" || p.up != 0 ||
				kept && (p.failed != 2 || p.counted != 1000) || gone && (p.failed != 0 || p.counted != 0) {
				t.Errorf("minute %d of the outage: %s", minute, p)
			}
		}
		turn(700, "success") // repaired meanwhile
		sim.ClearFaults()
		if p := run("after"); p.apiUp != "1" || p.up != 1000 || p.counted != 1000 || p.failed != 1 {
			t.Errorf("after the outage: %s", p)
		}
		t.Logf("a run reads for %v\n%s", reading, strings.Join(lines, "\n"))
	})
}

// published is what a run of --once says.
type published struct {
	apiUp, listing, jobs string
	up, counted, failed  int
}

func (p published) String() string {
	return fmt.Sprintf("api_up %s, discovery_up %s, %s jobs, %d up, %d counted, %d failed workers by name", p.apiUp, p.listing, p.jobs, p.up, p.counted, p.failed)
}

// publish is a run of --once in a process of its own.
func publish(t *testing.T, s *config.Settings, sim *simulator.Simulator, path string) (p published) {
	t.Helper()
	registry, o := prometheus.NewRegistry(), options(s)
	metrics := collector.NewMetrics(registry, "", "")
	client, err := cas.New(cas.Options{
		Endpoint: s.Regions[0].Endpoint, RegionID: s.Regions[0].ID, Transport: sim.Transport(), Observer: metrics,
		Provider:       oneKey{rpc.NewCredentials(simulator.DemoAccessKeyID, simulator.DemoAccessKeySecret, "")},
		RequestTimeout: time.Duration(s.RequestTimeout), RequestsPerSecond: rate(s), Concurrency: s.Concurrency, MaxAttempts: s.MaxAttempts, UserAgent: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	o.API, o.Observer, o.Logger, o.Once = client, metrics, slog.New(slog.DiscardHandler), true
	var text bytes.Buffer
	_ = once(t.Context(), s, schedule.Accounts{schedule.New(o)}, registry, &text) // it fails in the outage
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		series, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "aliyun_cas_"), " ")
		switch name, _, _ := strings.Cut(series, "{"); name {
		case "api_up":
			p.apiUp = value
		case "discovery_up":
			p.listing = value
		case "deployment_jobs":
			p.jobs = value
		case "deployment_job_up":
			if value == "1" {
				p.up++
			}
		case "deployment_job_workers":
			p.counted++
		case "deployment_failed_worker_modified_timestamp_seconds":
			p.failed++
		}
	}
	return p
}
