package collector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/simulator"
)

// finishedJobs returns a simulator with n finished jobs, named as configured jobs
// of an account could be.
func finishedJobs(n int, workers func() []simulator.Worker) *simulator.Simulator {
	sim := simulator.New(simulator.Options{Latency: 20 * time.Millisecond})
	for id := range int64(n) {
		sim.PutJob(simulator.Job{ID: 240_000 + id, Status: "success", Modified: time.Now().Add(-time.Hour)}, workers())
	}
	return sim
}

// shards runs total processes on one account for some minutes and returns the jobs
// of each.
func shards(t *testing.T, sim *simulator.Simulator, total int) [][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	rigs := make([]*rig, total)
	for i := range rigs {
		rigs[i] = newRig(t, sim, func(s *settings) {
			discovering(s)
			s.account.Shard, s.account.TotalShards = i, total
			s.RequestsPerSecond = 5 / float64(total)
		})
		go schedule.Accounts{rigs[i].Account}.Run(ctx)
	}
	<-ctx.Done()
	synctest.Wait()
	jobs := make([][]string, total)
	for i, r := range rigs {
		for _, s := range r.series(t, "deployment_job_workers") {
			jobs[i] = append(jobs[i], s.labels["job_id"])
		}
	}
	return jobs
}

// TestShardsDivideAnAccount runs three shards on an account of 150 jobs, then four.
func TestShardsDivideAnAccount(t *testing.T) {
	owner := func(t *testing.T, total int) map[string]int {
		t.Helper()
		owners := map[string]int{}
		synctest.Test(t, func(t *testing.T) {
			sim := finishedJobs(150, func() []simulator.Worker { return crowd(1) })
			least := math.MaxInt
			for shard, jobs := range shards(t, sim, total) {
				least = min(least, len(jobs))
				for _, id := range jobs {
					if other, twice := owners[id]; twice {
						t.Errorf("job %s is in shards %d and %d", id, other, shard)
					}
					owners[id] = shard
				}
			}
			if len(owners) != 150 || least < 150/total*2/3 {
				t.Errorf("%d shards: %d jobs in all, %d in the smallest; want 150, about evenly", total, len(owners), least)
			}
			// Each calls evenly, and none knows of the others: two of its calls can be in a second.
			if peak := sim.PeakPerSecond(); peak > 2*total {
				t.Errorf("%d calls in some second, want at most two of each shard", peak)
			}
			t.Logf("%d shards at 5 calls/s together: %d calls in the fullest second", total, sim.PeakPerSecond())
		})
		return owners
	}
	three, four := owner(t, 3), owner(t, 4)
	moved := 0
	for id, shard := range three {
		if four[id] != shard {
			moved++
			if four[id] != 3 {
				t.Errorf("job %s moved to shard %d, which was there before", id, four[id])
			}
		}
	}
	t.Logf("%d of 150 jobs moved", moved)
	if moved < 25 || moved > 50 {
		t.Errorf("%d of 150 jobs moved, want about a quarter", moved)
	}
}

// TestRegionsAccountsAndShards runs three shards of two accounts in two regions, against a
// simulator for each account in each region: together they read every job once, and no
// region's limit is exceeded by what another reads.
func TestRegionsAccountsAndShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sims := map[string]*simulator.Simulator{}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var shards []*rig
		for shard := range 3 {
			r := &rig{own: prometheus.NewPedanticRegistry(), log: &bytes.Buffer{}}
			var accounts schedule.Accounts
			for _, name := range []string{"prod", "test"} {
				for _, region := range []string{"cn-hangzhou", "ap-southeast-1"} {
					key := fmt.Sprintf("account=%q api_region=%q", name, region)
					if sims[key] == nil {
						sims[key] = finishedJobs(40, func() []simulator.Worker { return crowd(1) })
					}
					account, _ := newAccount(t, r.own, io.Discard, sims[key], func(s *settings) {
						discovering(s)
						s.account.Name, s.account.Region, s.account.Shard, s.account.TotalShards = name, region, shard, 3
						s.RequestsPerSecond = 5.0 / 3
					})
					accounts = append(accounts, account)
				}
			}
			r.collect(accounts)
			shards = append(shards, r)
			go accounts.Run(ctx)
		}
		<-ctx.Done()
		synctest.Wait()
		agree(t, shards[0].facts)
		read := map[string]int{}
		for _, r := range shards {
			for _, s := range r.series(t, "deployment_job_workers") {
				read[fmt.Sprint(s.labels)]++
			}
		}
		twice := 0
		for _, n := range read {
			twice += n - 1
		}
		if len(read) != 4*40 || twice != 0 {
			t.Errorf("%d jobs are read, %d of them by more than one; want %d and 0", len(read), twice, 4*40)
		}
		for key, sim := range sims {
			t.Logf("%s: %d calls in the fullest second", key, sim.PeakPerSecond())
			if sim.PeakPerSecond() > 6 {
				t.Errorf("%s: %d calls in some second, want at most two of each shard", key, sim.PeakPerSecond())
			}
		}
	})
}

// gone is the provider of an account whose role cannot be assumed.
type gone struct{}

func (gone) Credentials(context.Context) (rpc.Credentials, error) {
	return rpc.Credentials{}, errors.New("AssumeRole: EntityNotExist.Role")
}
func (gone) Invalidate() {}

// fleet is many accounts in one process.
type fleet struct {
	*rig
	schedule.Accounts
	sims []*simulator.Simulator
}

func newFleet(t *testing.T, accounts int, sim func(i int) *simulator.Simulator, change func(i int, s *settings)) *fleet {
	t.Helper()
	f := &fleet{rig: &rig{own: prometheus.NewPedanticRegistry(), log: &bytes.Buffer{}}}
	for i := range accounts {
		f.sims = append(f.sims, sim(i))
		var account *schedule.Account
		account, f.options = newAccount(t, f.own, io.Discard, f.sims[i], func(s *settings) {
			discovering(s)
			s.account.Name = fmt.Sprintf("team-%03d", i)
			if change != nil {
				change(i, s)
			}
		})
		f.Accounts = append(f.Accounts, account)
	}
	f.collect(f.Accounts)
	return f
}

// calls returns the calls to all accounts so far.
func (f *fleet) calls() int {
	sum := 0
	for _, sim := range f.sims {
		for _, n := range sim.Calls() {
			sum += n
		}
	}
	return sum
}

// TestBrokenAccountsDelayNoOther watches ten accounts: the role of one is gone, the
// API of another does not answer, a third may not read.
func TestBrokenAccountsDelayNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 10, func(int) *simulator.Simulator {
			return finishedJobs(10, func() []simulator.Worker { return crowd(6) })
		}, func(i int, s *settings) {
			s.account.PageSize = 5
			if i == 2 {
				s.Provider = gone{}
			}
		})
		for i, fault := range map[int]string{5: "slow-headers", 8: "forbidden"} {
			if err := f.sims[i].Inject(fault, simulator.Match{}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go f.Run(ctx)
		defer synctest.Wait()
		defer cancel()
		time.Sleep(time.Minute)
		if got := len(f.values(t, "deployment_job_workers")); got != 7*10 {
			t.Errorf("%d jobs are served after one interval, want %d", got, 7*10)
		}
		agree(t, f.facts)
		slowest := 0.0
		for _, took := range f.values(t, "poll_duration_seconds") {
			seconds, _ := strconv.ParseFloat(took, 64)
			slowest = max(slowest, seconds)
		}
		t.Logf("%d calls; the slowest round took %.1f s", f.calls(), slowest)
		time.Sleep(10 * time.Minute)
		for account, why := range map[int]string{2: "auth", 5: "timeout", 8: "forbidden"} {
			labels := []string{fmt.Sprintf("account=\"team-%03d\"", account), fmt.Sprintf("reason=%q", why)}
			if got := f.value(t, "poll_failures_total", labels...); got == "0" {
				t.Errorf("account %d: no failure is counted as %s", account, why)
			}
		}
		for i, at := range f.values(t, "deployment_job_last_success_timestamp_seconds") {
			seconds, _ := strconv.ParseFloat(at, 64)
			if age := float64(time.Now().UnixMilli())/1000 - seconds; age > 70 {
				t.Errorf("job %d was confirmed %.0f s ago, want at most an interval and its jitter", i, age)
			}
		}
	})
}

// TestManySlowAccounts has as many accounts whose API does not answer as others, and
// a sound one that is slow because it has much to read, of which one job fails.
func TestManySlowAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 40, func(int) *simulator.Simulator {
			return finishedJobs(1, func() []simulator.Worker { return crowd(1) })
		}, nil)
		for id := range int64(40) {
			f.sims[1].PutJob(simulator.Job{ID: id + 1, Status: "processing"}, crowd(1))
		}
		if err := f.sims[1].Inject("forbidden", simulator.Match{Action: "ListWorkerResource", JobID: 1}); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			if err := f.sims[2*i].Inject("slow-headers", simulator.Match{}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go f.Run(ctx)
		defer synctest.Wait()
		defer cancel()
		time.Sleep(brief(4*time.Minute, 10*time.Minute))
		ages := []float64{}
		for _, at := range f.values(t, "deployment_job_last_success_timestamp_seconds") {
			seconds, _ := strconv.ParseFloat(at, 64)
			ages = append(ages, float64(time.Now().UnixMilli())/1000-seconds)
		}
		if len(ages) != 59 || slices.Max(ages) > 70 {
			t.Errorf("the jobs of the sound accounts were confirmed %v s ago, want 59, each within an interval and its jitter", ages)
		}
	})
}

// TestScale prints the table of docs/scaling.md: `make scale`. All accounts are
// served by one simulator, so that what memory grows is the exporter's.
func TestScale(t *testing.T) {
	if os.Getenv("SCALE") == "" {
		t.Skip("it takes minutes; run `make scale`")
	}
	t.Log("| accounts | jobs of each | lines of /metrics about jobs | first read | calls of it | calls of an idle interval | heap |")
	for _, size := range [][2]int{{1, 100}, {1, 1000}, {1, 5000}, {10, 100}, {100, 100}, {1000, 100}} {
		synctest.Test(t, func(t *testing.T) { scale(t, size[0], size[1]) })
	}
}

func scale(t *testing.T, accounts, jobs int) {
	t.Helper()
	sim := finishedJobs(jobs, func() []simulator.Worker { return crowd(1) })
	before := heap()
	calls := func() (sum int) {
		for _, n := range sim.Calls() {
			sum += n
		}
		return sum
	}
	f := newFleet(t, accounts, func(int) *simulator.Simulator { return sim }, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer synctest.Wait()
	defer cancel()
	start := time.Now()
	go f.Run(ctx)
	read := func() (n int) {
		for _, account := range f.facts.States() {
			for _, job := range account.Jobs {
				if job.Up {
					n++
				}
			}
		}
		return n
	}
	for read() < accounts*jobs {
		time.Sleep(time.Minute)
	}
	took, first := time.Since(start), calls()
	time.Sleep(2 * time.Minute)
	settled := calls()
	time.Sleep(10 * time.Minute)
	idle := float64(calls()-settled) / 10
	var lines lineCount
	if err := writeText(&lines, f.facts); err != nil {
		t.Fatal(err)
	}
	t.Logf("| %d | %d | %d | %v | %d | %.0f | %d MiB |", accounts, jobs, lines, took, first, idle, (heap()-before)>>20)
	runtime.KeepAlive(f)
}

// lineCount counts the lines written to it.
type lineCount int

func (n *lineCount) Write(p []byte) (int, error) {
	*n += lineCount(bytes.Count(p, []byte("\n")))
	return len(p), nil
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
