package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/server"
	"aliyun_cas_exporter/internal/simulator"
)

type key struct{}

func (key) Credentials(context.Context) (rpc.Credentials, error) {
	return rpc.NewCredentials(simulator.DemoAccessKeyID, simulator.DemoAccessKeySecret, ""), nil
}
func (key) Invalidate() {}

// newExporter returns a server of what a poller of job 8888 sees, which has a worker
// in each of so many places.
func newExporter(tb testing.TB, places int) (*fixture, *schedule.Account, *simulator.Simulator) {
	tb.Helper()
	sim := simulator.New(simulator.Options{})
	var workers []simulator.Worker
	for i := range places {
		workers = append(workers, simulator.Worker{ID: int64(i + 1), Status: "success", CloudProduct: fmt.Sprint("P", i), RegionID: "cn-hangzhou", Modified: time.Unix(1_790_000_000, 0)})
	}
	sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, workers)
	registry := prometheus.NewPedanticRegistry()
	metrics := collector.NewMetrics(registry, "", "")
	client, err := cas.New(cas.Options{
		Endpoint: "https://cas.aliyuncs.com", RegionID: "cn-hangzhou", Transport: sim.Transport(), Provider: key{}, Observer: metrics,
		RequestTimeout: 15 * time.Second, RequestsPerSecond: 1000, Concurrency: 4, MaxAttempts: 4,
	})
	if err != nil {
		tb.Fatal(err)
	}
	account := schedule.New(schedule.Options{
		API: client, Observer: metrics, Logger: slog.New(slog.DiscardHandler), JobIDs: []int64{8888}, TotalShards: 1,
		PollInterval: time.Minute, ResyncInterval: time.Hour, MaxStaleness: 10 * time.Minute,
		RateLimit: 1000, PageSize: 50, Concurrency: 4, MaxWorkers: places, MaxJobs: 100, MaxGroups: 10 * places, MaxNamed: 100, ZeroFill: true, StuckAfter: time.Hour,
	})
	accounts := schedule.Accounts{account}
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	facts := collector.New(accounts)
	f := newServer(tb, func(o *server.Options) {
		o.Registerer, o.Gatherer, o.Facts, o.Ready = registry, registry, facts, accounts.Ready
	})
	f.registry, f.facts = registry, facts
	return f, account, sim
}

// TestFactsAreTheSameInEveryFormat parses what is served as text, as OpenMetrics and
// as protobuf.
func TestFactsAreTheSameInEveryFormat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, poller, _ := newExporter(t, 120)
		if !poller.Poll(t.Context()) {
			t.Fatal("the poll failed")
		}
		series := map[string]int{}
		for _, accept := range []string{"text/plain", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"} {
			w := f.ask("GET", "/metrics", "Accept", accept)
			decoder := expfmt.NewDecoder(w.Body, expfmt.ResponseFormat(w.Header()))
			for {
				var family dto.MetricFamily
				if err := decoder.Decode(&family); err != nil {
					if !errors.Is(err, io.EOF) {
						t.Fatalf("%s: %v", accept, err)
					}
					break
				}
				if strings.HasPrefix(family.GetName(), "aliyun_cas_deployment") {
					series[accept] += len(family.GetMetric())
				}
			}
		}
		lines := 0
		open := f.ask("GET", "/metrics", "Accept", "application/openmetrics-text;version=1.0.0").Body.String()
		for line := range strings.Lines(open) {
			if strings.HasPrefix(line, "aliyun_cas_deployment") {
				lines++
			}
		}
		if lines < 120*9 || series["text/plain"] != lines || len(series) != 2 || slices.Max(slices.Collect(maps.Values(series))) != lines {
			t.Errorf("%v series in text and protobuf, %d in OpenMetrics; want the same, 1,080 at least", series, lines)
		}
		if !strings.HasSuffix(open, "# EOF\n") || strings.Count(open, "# EOF") != 1 {
			t.Error("OpenMetrics does not end as it should")
		}
	})
}

// TestScrapesDoNotWaitForPolls scrapes while the API does not answer: no fake time
// passes.
func TestScrapesDoNotWaitForPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, poller, sim := newExporter(t, 120)
		for _, up := range []string{"0", "1"} {
			if err := sim.Inject("slow-headers", simulator.Match{}); err != nil {
				t.Fatal(err)
			}
			ended := make(chan bool)
			go func() { ended <- poller.Poll(t.Context()) }()
			synctest.Wait()
			start, calls := time.Now(), fmt.Sprint(sim.Calls())
			for range 10 {
				w := f.ask("GET", "/metrics")
				if want := "aliyun_cas_deployment_job_up{job_id=\"8888\"} " + up + "\n"; w.Code != 200 || !strings.Contains(w.Body.String(), want) {
					t.Errorf("during a poll: %d, want 200 with %s", w.Code, want)
				}
			}
			if took := time.Since(start); took != 0 || calls != fmt.Sprint(sim.Calls()) {
				t.Errorf("scrapes took %v, and calls went from %s to %v", took, calls, sim.Calls())
			}
			<-ended
			sim.ClearFaults()
			if !poller.Poll(t.Context()) {
				t.Fatal("the poll failed")
			}
		}
	})
}

// TestPollsAreUnharmedByClients polls while clients scrape, do not read and do not
// finish their headers.
func TestPollsAreUnharmedByClients(t *testing.T) {
	f, poller, _ := newExporter(t, 120)
	address := f.run(t)
	var stop atomic.Bool
	var scrapes atomic.Int32
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() {
			for !stop.Load() {
				if _, _, err := fetch("http://" + address + "/metrics"); err == nil {
					scrapes.Add(1)
				}
			}
		})
	}
	for i := range 50 {
		fmt.Fprint(dial(t, address), []string{"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1\r\nX: "}[i%2])
	}
	for polls := 0; polls < 10 || scrapes.Load() < 100; polls++ {
		if !poller.Poll(t.Context()) {
			t.Error("a poll failed")
		}
	}
	stop.Store(true)
	clients.Wait()
}
