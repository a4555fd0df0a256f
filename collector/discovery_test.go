package collector_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/simulator"
)

func discovering(s *settings) { s.account.Discovery = &schedule.Discovery{} }

// history is an account that lives while it is watched. A trace is a change that
// shows in a job's record, a silent one does not.
type history struct {
	*rig
	ids    []int64
	next   int64
	silent map[int64]time.Time        // when a job last changed without a trace
	truths map[int64][]map[string]int // counts by status of a job: those that may be served, the last is true
}

// TestHistoriesAreFollowed lets an account live through random histories. A change
// with a trace is right after one poll, one without within the resync interval,
// and a job that is gone has no series.
func TestHistoriesAreFollowed(t *testing.T) {
	for range max(1, rounds()/3) {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(bubble{t}, func(rt *rapid.T) {
				h := newHistory(t, rt)
				for range rapid.IntRange(1, 25).Draw(rt, "polls") {
					h.live(rt)
					time.Sleep(rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(rt, "later"))
					if !h.Poll(rt.Context()) {
						rt.Fatalf("poll failed: %s", h.log)
					}
					h.compare(rt)
				}
				agree(rt, h.facts)
			})
		})
	}
}

func newHistory(t *testing.T, rt *rapid.T) *history {
	t.Helper()
	h := &history{next: 100, silent: map[int64]time.Time{}, truths: map[int64][]map[string]int{}}
	sim := simulator.New(simulator.Options{Now: time.Now})
	h.rig = newRig(t, sim, func(s *settings) {
		discovering(s)
		s.RequestsPerSecond = 1000
		s.account.ResyncInterval = 10 * time.Minute
	})
	for range rapid.IntRange(0, 6).Draw(rt, "jobs") {
		h.create(rapid.SampledFrom([]string{"success", "error", "processing"}).Draw(rt, "status"))
	}
	return h
}

func (h *history) create(status string) {
	h.next++
	h.ids = append(h.ids, h.next)
	past := time.Now().Add(-time.Hour)
	h.sim.PutJob(simulator.Job{ID: h.next, Name: "job", Status: status, Created: past, Modified: past}, []simulator.Worker{
		{ID: h.next * 10, Status: "success", CloudProduct: "CDN", Modified: past}, {ID: h.next*10 + 1, Status: "pending", CloudProduct: "CDN", Modified: past},
	})
	h.changed(h.next, true)
}

// changed keeps what is true of a job after a change.
func (h *history) changed(id int64, trace bool) {
	counts := map[string]int{}
	for _, w := range h.sim.Workers(id) {
		counts[w.Status]++
	}
	if trace {
		h.truths[id] = nil
		delete(h.silent, id)
	} else {
		h.silent[id] = time.Now()
	}
	h.truths[id] = append(h.truths[id], counts)
}

// live changes the account between two polls.
func (h *history) live(rt *rapid.T) {
	event := rapid.SampledFrom([]string{"", "", "", "create", "vanish", "trace", "status", "rollback", "silent"}).Draw(rt, "event")
	if event == "create" {
		h.create("success")
		return
	}
	if len(h.ids) == 0 || event == "" {
		return
	}
	i := rapid.IntRange(0, len(h.ids)-1).Draw(rt, "job")
	id := h.ids[i]
	if event == "vanish" {
		h.sim.DeleteJob(id)
		h.ids = slices.Delete(h.ids, i, i+1)
		delete(h.truths, id)
		return
	}
	worker, status := id*10+rapid.Int64Range(0, 1).Draw(rt, "worker"), rapid.SampledFrom([]string{"error", "success", "rollback", "invented"}).Draw(rt, "becomes")
	h.sim.UpdateWorker(id, worker, func(w *simulator.Worker) { w.Status, w.Modified = status, time.Now() })
	h.sim.UpdateJob(id, func(j *simulator.Job) {
		switch event {
		case "trace":
			j.Modified = time.Now().Truncate(time.Second) // so two changes can look like one
		case "status":
			j.Status = map[string]string{"success": "error", "error": "success", "processing": "success"}[j.Status]
		case "rollback":
			j.Rollback = !j.Rollback
		}
	})
	h.changed(id, event != "silent")
}

func (h *history) compare(rt *rapid.T) {
	series := map[string]map[string]int{}
	var text strings.Builder
	if err := writeText(&text, h.facts); err != nil {
		rt.Fatal(err)
	}
	for line := range strings.SplitSeq(text.String(), "\n") {
		if _, rest, ok := strings.Cut(line, `job_id="`); ok {
			id, _, _ := strings.Cut(rest, `"`)
			if series[id] == nil {
				series[id] = map[string]int{}
			}
			if strings.HasPrefix(line, "aliyun_cas_deployment_workers{") {
				_, status, _ := strings.Cut(line, `status="`)
				status, value, _ := strings.Cut(status, `"} `)
				if n, _ := strconv.Atoi(value); n > 0 {
					series[id][status] += n
				}
			}
		}
	}
	for _, id := range h.ids {
		got := series[fmt.Sprint(id)]
		delete(series, fmt.Sprint(id))
		may := h.truths[id]
		if at, ok := h.silent[id]; !ok || time.Since(at) > h.options.ResyncInterval {
			may = may[len(may)-1:]
		}
		if !slices.ContainsFunc(may, func(counts map[string]int) bool { return maps.Equal(counts, got) }) {
			rt.Fatalf("job %d: %v is served, want one of %v", id, got, may)
		}
	}
	if len(series) > 0 {
		rt.Fatalf("jobs that vanished have series: %v", series)
	}
}

// TestAFailedListingRemovesNothing breaks the listing of jobs, three pages of it, in every
// way in which a listing can be broken.
func TestAFailedListingRemovesNothing(t *testing.T) {
	for _, fault := range []string{
		"error-503", "forbidden", "throttle-429", "truncated-body", "empty-200", "empty-page", "short-page", "duplicate-page",
		"replaced-row", "total-high", "total-low", "total-changes", "total-missing", "total-huge", "data-missing", "row-without-id", "cut-json",
	} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := simulator.New(simulator.Options{})
				for id := range int64(8) {
					sim.PutJob(simulator.Job{ID: id + 1, Status: "success", Modified: time.Now().Add(-time.Hour)}, crowd(1))
				}
				r := newRig(t, sim, func(s *settings) {
					discovering(s)
					s.account.PageSize = 3
				})
				if !r.Poll(t.Context()) {
					t.Fatalf("the poll before the fault failed: %s", r.log)
				}
				if err := sim.Inject(fault, simulator.Match{Action: "ListDeploymentJob", Page: 2}); err != nil {
					t.Fatal(err)
				}
				sim.DeleteJob(8) // and nobody can know
				time.Sleep(time.Minute)
				if r.Poll(t.Context()) {
					t.Error("the poll succeeded")
				}
				if got := len(r.values(t, "deployment_job_workers")); got != 8 {
					t.Errorf("%d jobs are served, want the 8 of the last listing", got)
				}
				for name, want := range map[string]string{"discovery_up": "0", "deployment_jobs": "8"} {
					if got := r.value(t, name); got != want {
						t.Errorf("%s is %s, want %s", name, got, want)
					}
				}
				sim.ClearFaults()
				time.Sleep(time.Minute)
				if !r.Poll(t.Context()) || len(r.values(t, "deployment_job_up")) != 7 {
					t.Errorf("after the fault: %d jobs, want 7\n%s", len(r.values(t, "deployment_job_up")), r.log)
				}
			})
		})
	}
}

// TestOutage breaks the API for so long that finished jobs, which the listing would
// have confirmed, are swept: they are not up, until the first poll after it.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		jobs(sim, 3, "success")
		r := newRig(t, sim, discovering)
		r.Poll(t.Context())
		if err := sim.Inject("error-503", simulator.Match{}); err != nil {
			t.Fatal(err)
		}
		for minute := range 8 {
			time.Sleep(time.Minute)
			r.Poll(t.Context())
			// A poll of the outage takes some seconds.
			if want := map[bool]string{true: "1", false: "0"}[minute < 4]; !slices.Equal(r.values(t, "deployment_job_up"), slices.Repeat([]string{want}, 3)) {
				t.Errorf("minute %d: up is %v, want %s", minute, r.values(t, "deployment_job_up"), want)
			}
			if got := len(r.values(t, "deployment_job_workers")); got != 3 {
				t.Errorf("minute %d: %d jobs are served, want all until they are stale", minute, got)
			}
		}
		sim.ClearFaults()
		if !r.Poll(t.Context()) || slices.Contains(r.values(t, "deployment_job_up"), "0") {
			t.Errorf("after the outage up is %v\n%s", r.values(t, "deployment_job_up"), r.log)
		}
	})
}

// TestListingIsKnownBeforeTheRoundEnds looks at discovery_up while the jobs are read.
func TestListingIsKnownBeforeTheRoundEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, crowd(1))
		r := newRig(t, sim, discovering)
		seen := "nothing"
		sim.OnCall(func(call simulator.Call) {
			if call.Action == "ListWorkerResource" {
				seen = r.value(t, "discovery_up")
			}
		})
		if r.Poll(t.Context()); seen != "1" {
			t.Errorf("discovery_up was %s while the jobs were read, want 1", seen)
		}
	})
}

// TestIdleCostIsTheListing counts the calls of an account of 100 finished jobs of
// 110 workers and 5 active ones; docs/performance.md has the same for 1,000.
func TestIdleCostIsTheListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		past := time.Now().Add(-time.Hour)
		for id := range int64(50) {
			sim.PutJob(simulator.Job{ID: id + 1, Status: "success", Modified: past}, crowd(110))
		}
		for id := range int64(5) {
			sim.PutJob(simulator.Job{ID: 2000 + id, Status: "processing", Modified: past}, crowd(110))
		}
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.RequestsPerSecond, s.Concurrency = 1000, 16
		})
		r.Poll(t.Context())
		if got := len(r.values(t, "deployment_job_workers")); got != 55 {
			t.Fatalf("%d jobs are read at first, want 55\n%s", got, r.log)
		}
		first := sim.Calls()["ListWorkerResource"]
		sim.ResetStats()
		time.Sleep(time.Minute)
		r.Poll(t.Context())
		calls := sim.Calls()
		if first != 165 || calls["ListDeploymentJob"] != 2 || calls["ListWorkerResource"] != 15 || len(calls) != 2 {
			t.Errorf("first %d calls, then %v; want 165, then 2 of the listing and 15 pages", first, calls)
		}
		for action, want := range map[string]string{"ListDeploymentJob": "2", "ListWorkerResource": "15"} {
			if got := r.value(t, "poll_api_requests", fmt.Sprintf("action=%q", action)); got != want {
				t.Errorf("poll_api_requests of %s is %s, want %s", action, got, want)
			}
		}
	})
}

// TestTenThousandJobs has more to read than the rate allows: that is said in numbers,
// what moves is read first and at nearly every tick, and of what is at rest the API's
// counts are read first, each job's once.
func TestTenThousandJobs(t *testing.T) {
	heavy(t)
	large(t)
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		jobs(sim, 10_000, "success")
		moving := map[int64]bool{17: true, 5000: true, 9999: true}
		for id := range moving {
			sim.UpdateJob(id, func(j *simulator.Job) { j.Status = "processing" })
		}
		var order []int64
		reads := map[int64][]time.Time{}
		sim.OnCall(func(call simulator.Call) {
			if call.Action == "ListWorkerResource" {
				order = append(order, call.JobID)
			}
			if call.Action == map[bool]string{true: "ListWorkerResource", false: "DescribeDeploymentJobStatus"}[moving[call.JobID]] {
				reads[call.JobID] = append(reads[call.JobID], time.Now())
			}
		})
		r := newRig(t, sim, discovering)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		schedule.Accounts{r.Account}.Run(ctx)
		for id := range moving {
			if !slices.Contains(order[:8], id) { // as many are polled at once
				t.Errorf("job %d, which moves, is not among the first: %v", id, order[:8])
			}
		}
		gap := time.Duration(0)
		for id, at := range reads {
			if !moving[id] && len(at) > 1 {
				t.Errorf("job %d was counted again before the others", id)
			}
			for i := range len(at) - 1 {
				gap = max(gap, at[i+1].Sub(at[i]))
			}
		}
		if gap > 2*time.Minute || len(reads) < 6000 {
			t.Errorf("%d jobs were counted in half an hour, those that move read within %v; want 6000 and 2m", len(reads), gap)
		}
		if log := r.log.String(); !strings.Contains(log, "level=WARN msg=\"the watched jobs cannot be read within the poll interval at the configured rate\" jobs=10000 requests_per_interval=") ||
			!strings.Contains(log, "allowed_per_interval=300") {
			t.Error("no warning with the numbers")
		}
		expected := 0.0
		for _, value := range r.values(t, "poll_expected_api_requests") {
			n, _ := strconv.ParseFloat(value, 64)
			expected += n
		}
		if rate := r.value(t, "api_rate_limit_requests_per_second"); rate != "5" || expected < 500 || expected > 700 {
			t.Errorf("%v calls are expected an interval at %s/s, want 200 of the listing and 10,000 of each kind spread over 54 intervals", expected, rate)
		}
	})
}

// TestCostIsSaidBeforeTheFirstRead needs 5.7 calls an interval, more than one of the rates
// allows.
func TestCostIsSaidBeforeTheFirstRead(t *testing.T) {
	for rate, enough := range map[float64]bool{0.1: true, 0.09: false} {
		synctest.Test(t, func(t *testing.T) {
			sim := finishedJobs(100, func() []simulator.Worker { return crowd(1) })
			r := newRig(t, sim, func(s *settings) {
				discovering(s)
				s.RequestsPerSecond = rate
			})
			r.Poll(t.Context())
			if warned := strings.Contains(r.log.String(), "cannot be read within the poll interval"); warned == enough {
				t.Errorf("at %v calls/s: warned is %v\n%s", rate, warned, r.log)
			}
			if before, _, _ := strings.Cut(r.log.String(), "job read"); !strings.Contains(before, "requests_per_interval=") {
				t.Errorf("at %v calls/s: jobs were read before their cost was said\n%s", rate, r.log)
			}
		})
	}
}

// TestFilteredReadsCountAWorkerOnce lets a worker be in two filtered reads: one
// product in two spellings, and a status that changes between two reads.
func TestFilteredReadsCountAWorkerOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		sim.PutJob(simulator.Job{ID: 8888, Status: "processing"}, []simulator.Worker{
			{ID: 1, Status: "processing", CloudProduct: "DDoS", Modified: time.Now()}, {ID: 2, Status: "error", CloudProduct: "DDoS", Modified: time.Now()},
		})
		sim.OnCall(func(call simulator.Call) {
			if call.Query.Get("Status") == "error" {
				sim.UpdateWorker(8888, 1, func(w *simulator.Worker) { w.Status = "error" })
			}
		})
		r := newRig(t, sim, func(s *settings) {
			s.account.JobIDs, s.account.Products, s.account.Statuses = []int64{8888}, []string{"DDOS", "DDoS"}, []string{"processing", "error"}
		})
		if !r.Poll(t.Context()) {
			t.Fatalf("poll failed: %s", r.log)
		}
		for status, want := range map[string]string{"processing": "1", "error": "1"} {
			if got := r.value(t, "deployment_workers", fmt.Sprintf("status=%q", status)); got != want {
				t.Errorf("%s workers in %s, want %s", got, status, want)
			}
		}
	})
}

// TestDetailsThatFailAreNotAskedForAtEveryPoll counts the calls for certificates
// that cannot be read, of jobs that are otherwise at rest.
func TestDetailsThatFailAreNotAskedForAtEveryPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		for id := range int64(10) {
			sim.PutJob(simulator.Job{ID: id + 1, Status: "success", Modified: time.Now().Add(-time.Hour)}, crowd(1))
		}
		if err := sim.Inject("not-found", simulator.Match{Action: "ListDeploymentJobCert"}); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, sim, discovering)
		for range 10 {
			if !r.Poll(t.Context()) || slices.Contains(r.values(t, "deployment_job_up"), "0") {
				t.Fatalf("what are only details failed the poll: up is %v\n%s", r.values(t, "deployment_job_up"), r.log)
			}
			time.Sleep(time.Minute)
		}
		// Once at first, then every 2.5 minutes, which is every third tick.
		if got := sim.Calls()["ListDeploymentJobCert"]; got != 40 {
			t.Errorf("%d calls in ten ticks of ten jobs, want 40", got)
		}
	})
}

// TestConfiguredJobsAreConfirmedInOrder asks about more jobs at rest than an interval has
// time for.
func TestConfiguredJobsAreConfirmedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		var ids []int64
		for id := range int64(30) {
			ids = append(ids, id+1)
			sim.PutJob(simulator.Job{ID: id + 1, Status: "success", Modified: time.Now().Add(-time.Hour)}, crowd(1))
		}
		r := newRig(t, sim, func(s *settings) { s.account.JobIDs, s.RequestsPerSecond = ids, 0.25 })
		for range 20 {
			r.Poll(t.Context())
			time.Sleep(15 * time.Second)
		}
		for _, at := range r.values(t, "deployment_job_last_success_timestamp_seconds") {
			seconds, _ := strconv.ParseFloat(at, 64)
			if age := time.Since(time.Unix(int64(seconds), 0)); age > 4*time.Minute {
				t.Errorf("a job was confirmed %v ago, want it to be at most three rounds of about ten jobs", age)
			}
		}
	})
}

// brief chooses how much of what repeats a test takes: hours, jobs, cases. The quick loop
// takes the first; the properties' part of CI and the race detector's take the second.
func brief[T any](quick, all T) T {
	if os.Getenv("PROPERTY_ROUNDS") == "" && !underRace {
		return quick
	}
	return all
}

// heavy leaves a test that takes seconds of CPU to the properties' part of CI.
func heavy(t *testing.T) {
	t.Helper()
	if os.Getenv("PROPERTY_ROUNDS") == "" {
		t.Skip("run `make properties`")
	}
}

// large marks a test that is run without the race detector only: with it, the test
// would take minutes, and the detector's own tables are not made for that many
// goroutines.
func large(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("run without -race")
	}
}
