package collector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/simulator"
)

// TestALongSweepHoldsUpNoOther watches a job of so many pages that one read of them
// takes longer than data may be old, beside jobs that move.
func TestALongSweepHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		const long = 100
		jobs(sim, 5, "processing")
		sim.PutJob(simulator.Job{ID: long, Status: "processing", Modified: time.Now()}, crowd(600))
		var starts []time.Time // reads of the long job
		sim.OnCall(func(call simulator.Call) {
			if call.Action == "ListWorkerResource" && call.JobID == long && call.Page == 1 {
				starts = append(starts, time.Now())
			}
		})
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.RequestsPerSecond, s.account.PageSize = 1, 2
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			schedule.Accounts{r.Account}.Run(ctx)
			close(ended)
		}()
		start := time.Now()
		var seen []string // when the long job was read
		for time.Since(start) < brief(15*time.Minute, 20*time.Minute) {
			time.Sleep(time.Minute)
			for id := range 5 {
				label := fmt.Sprintf("job_id=%q", strconv.Itoa(id+1))
				success, _ := strconv.ParseFloat(r.value(t, "deployment_job_last_success_timestamp_seconds", label), 64)
				if age := float64(time.Now().UnixMilli())/1000 - success; age > 150 && time.Since(start) > 3*time.Minute {
					t.Fatalf("after %v job %d was confirmed %.0f s ago, want at most two intervals and a read", time.Since(start), id+1, age)
				}
			}
			if at := r.value(t, "deployment_job_last_sweep_timestamp_seconds", fmt.Sprintf("job_id=\"%d\"", long)); at != "absent" && !slices.Contains(seen, at) {
				seen = append(seen, at)
				if n := r.value(t, "deployment_job_workers", fmt.Sprintf("job_id=\"%d\"", long)); n != "600" {
					t.Errorf("the long job has %s workers, want 600", n)
				}
			}
		}
		if len(seen) < 2 || len(starts)-len(seen) > 1 {
			t.Errorf("the long job was read %d times, %d reads were started; want each to end before the next\n%s", len(seen), len(starts), r.log)
		}
		if got := sim.PeakPerSecond(); got > 2 { // two of the limit's seconds meet in one
			t.Errorf("%d calls in a second, want 1", got)
		}
		cancel()
		told := time.Now()
		if <-ended; time.Since(told) != 0 {
			t.Errorf("it took %v to end", time.Since(told))
		}
	})
}

// TestAGiantJobIsConfirmedWhileItIsRead has a finished job of so many pages that its resync
// takes longer than data may be old. Its record confirms its counts meanwhile, until it
// says that the job changed.
func TestAGiantJobIsConfirmedWhileItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		past, workers := time.Now().Add(-time.Hour), crowd(480)
		for i := range workers {
			workers[i].Modified = past // none becomes stuck, so that nothing else asks for a read
		}
		sim.PutJob(simulator.Job{ID: 1, Status: "success", Modified: past}, workers)
		var begun atomic.Int32
		sim.OnCall(func(call simulator.Call) {
			if call.Action == "ListWorkerResource" && call.Page == 1 {
				begun.Add(1)
			}
		})
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.RequestsPerSecond, s.account.PageSize = 1, 2
			s.account.MaxStaleness, s.account.ResyncInterval = 3*time.Minute, 15*time.Minute
		})
		r.Poll(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go schedule.Accounts{r.Account}.Run(ctx)
		editing := func() string {
			return r.value(t, "deployment_workers", `cloud_product="SLB"`, `region_id="cn-hangzhou"`, `status="editing"`)
		}
		before := editing()
		swept := func() int64 {
			seconds, _ := strconv.ParseFloat(r.value(t, "deployment_job_last_sweep_timestamp_seconds"), 64)
			return int64(seconds)
		}
		for first := swept(); swept() == first; time.Sleep(time.Minute) {
			if editing() != before {
				t.Fatalf("%s workers, %d reads were begun; want %s while the record is unchanged\n%s", editing(), begun.Load(), before, r.log)
			}
		}
		for n := begun.Load(); begun.Load() == n; {
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute) // page 1 has been read
		sim.UpdateWorker(1, 1, func(w *simulator.Worker) { w.Status = "success" })
		sim.UpdateJob(1, func(j *simulator.Job) { j.Modified = time.Now() })
		changed, seen := time.Now(), false
		for ; time.Since(changed) < time.Hour && !seen; time.Sleep(time.Minute) {
			switch old := time.Since(changed) > 4*time.Minute && time.Now().Unix()-swept() > 4*60; editing() {
			case before:
				if old {
					t.Fatalf("%v after it changed the job shows what it was, read %d s ago", time.Since(changed), time.Now().Unix()-swept())
				}
			case "absent":
			default:
				seen = true
			}
		}
		if !seen {
			t.Error("the job was not read again after it had changed")
		}
		cancel()
		synctest.Wait()
	})
}

// TestJobsAtRestAreConfirmedUnderOverload has no listing, and jobs that move in such number
// that half of them can be read in an interval: a job at rest, which costs one call
// to confirm, is as current as they are.
func TestJobsAtRestAreConfirmedUnderOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		ids := jobs(sim, 30, "processing")
		for id := range int64(5) {
			ids = append(ids, 101+id)
			sim.PutJob(simulator.Job{ID: 101 + id, Status: "success", Modified: time.Now().Add(-time.Hour)}, nil)
		}
		r := newRig(t, sim, func(s *settings) {
			s.account.JobIDs, s.RequestsPerSecond = ids, 0.5
		})
		r.Poll(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), brief(20*time.Minute, time.Hour))
		defer cancel()
		go schedule.Accounts{r.Account}.Run(ctx)
		for ctx.Err() == nil {
			time.Sleep(time.Minute)
			if n := len(r.values(t, "deployment_job_workers")); n != len(ids) {
				t.Fatalf("%d of %d jobs have counts that are not stale\n%s", n, len(ids), r.log)
			}
		}
		synctest.Wait()
	})
}

// lateListings is a transport that delivers listings late, from when it is told to.
type lateListings struct {
	http.RoundTripper
	late atomic.Bool
}

func (l *lateListings) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(req)
	if l.late.Load() && req.URL.Query().Get("Action") == "ListDeploymentJob" {
		time.Sleep(30 * time.Second)
	}
	return resp, err
}

// TestALateListingTakesNothingBack has a job end after it was listed and before the
// listing arrives; meanwhile it was polled.
func TestALateListingTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		id := jobs(sim, 1, "processing")[0]
		transport := &lateListings{RoundTripper: sim.Transport()}
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.account.JobIDs, s.Transport, s.RequestTimeout = []int64{id}, transport, 50*time.Second
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		go schedule.Accounts{r.Account}.Run(ctx)
		time.Sleep(50 * time.Second)
		transport.late.Store(true)
		time.Sleep(13 * time.Second) // it is listed, and not polled yet
		sim.UpdateJob(id, func(j *simulator.Job) { j.Status, j.Modified = "success", time.Now() })
		ended := false
		for ctx.Err() == nil {
			time.Sleep(time.Second)
			now := r.value(t, "deployment_job_status", `status="success"`) == "1"
			if ended && !now {
				t.Fatal("the job that had ended has not")
			}
			ended = now
		}
		if !ended {
			t.Error("the job has not ended")
		}
		synctest.Wait()
	})
}

// crossing is a transport that takes long, and knows how many calls about a job are under
// way.
type crossing struct {
	http.RoundTripper
	takes func() time.Duration

	mu    sync.Mutex
	calls map[string]int // by job_id
	most  int
}

func (c *crossing) RoundTrip(req *http.Request) (*http.Response, error) {
	job := req.URL.Query().Get("JobId")
	count := func(n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.calls[job] += n; job != "" {
			c.most = max(c.most, c.calls[job])
		}
	}
	count(1)
	defer count(-1)
	time.Sleep(c.takes())
	return c.RoundTripper.RoundTrip(req)
}

// TestAJobIsNeverPolledTwiceAtATime has jobs come, go and change while every call, the
// listing's too, takes up to two intervals. A job of one page that is polled once at a time
// has one call.
func TestAJobIsNeverPolledTwiceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		sim := simulator.New(simulator.Options{Now: time.Now})
		transport := &crossing{RoundTripper: sim.Transport(), calls: map[string]int{}, takes: func() time.Duration {
			return rand.N(2 * time.Minute)
		}}
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.Transport, s.RequestTimeout, s.account.JobIDs = transport, 3*time.Minute, []int64{1}
		})
		hours := brief(3, 24)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(hours)*time.Hour)
		defer cancel()
		ended := make(chan struct{})
		go func() {
			schedule.Accounts{r.Account}.Run(ctx)
			close(ended)
		}()
		for ctx.Err() == nil {
			id := 1 + random.Int64N(4)
			switch random.IntN(4) {
			case 0:
				sim.DeleteJob(id)
			case 1:
				sim.PutJob(simulator.Job{ID: id, Status: "success", Modified: time.Now().Add(-time.Hour)}, crowd(8))
			default:
				sim.PutJob(simulator.Job{ID: id, Status: "processing", Modified: time.Now()}, crowd(8))
			}
			time.Sleep(rand.N(2 * time.Minute))
		}
		<-ended
		if transport.most != 1 || total(sim.Calls()) < 1000*hours/24 {
			t.Errorf("%d calls about a job were under way at a time, of %d in all", transport.most, total(sim.Calls()))
		}
	})
}

// TestAJobThatComesBackIsNotPolledTwiceAtATime has a job leave the listing and come back
// while its workers are being read.
func TestAJobThatComesBackIsNotPolledTwiceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		sim.PutJob(simulator.Job{ID: 100, Status: "processing", Modified: time.Now()}, crowd(600))
		var begun atomic.Int32
		sim.OnCall(func(call simulator.Call) {
			if call.Action == "ListWorkerResource" && call.Page == 1 {
				begun.Add(1)
			}
		})
		r := newRig(t, sim, func(s *settings) {
			discovering(s)
			s.RequestsPerSecond, s.account.PageSize = 1, 2
		})
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute) // a sweep takes five
		defer cancel()
		go schedule.Accounts{r.Account}.Run(ctx)
		time.Sleep(50 * time.Second)
		sim.InjectHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"RequestId":"r","CurrentPage":1,"ShowSize":10,"Total":0,"Data":[]}`))
		}), simulator.Match{Action: "ListDeploymentJob", Times: 1})
		time.Sleep(30 * time.Second)
		if n := r.value(t, "deployment_jobs"); n != "0" {
			t.Errorf("%s jobs are watched while the listing is empty", n)
		}
		time.Sleep(3 * time.Minute)
		if n := r.value(t, "deployment_jobs"); n != "1" || begun.Load() != 1 {
			t.Errorf("%s jobs are watched, and %d sweeps of one began within the time of a sweep", n, begun.Load())
		}
		time.Sleep(72 * time.Second)
		if n := r.value(t, "deployment_job_workers"); n != "600" {
			t.Errorf("the job has %s workers after its sweep, want 600", n)
		}
		<-ctx.Done()
		synctest.Wait()
	})
}
