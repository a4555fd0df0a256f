package collector_test

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/simulator"
)

// TestEveryExportedCountIsTrue is the promise of the program: whatever the estate and the
// API do, each exported count of a job comes from one sweep whose reads were complete by
// themselves, each worker counted once, as it was served; or the job is not up, and
// the counts are those of the last such sweep, or absent when they are too old.
//
// It ranges over all families that count or name workers, jobs that are configured and
// discovered, moving and at rest, two accounts in one collector, with and without
// filters. The oracle is independent of the exporter: it decodes what the API served.
func TestEveryExportedCountIsTrue(t *testing.T) {
	cases, checked := 0, map[string]int{}
	for range rounds() {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(bubble{t}, func(rt *rapid.T) {
				cases++
				w := newWorld(t, rt, checked)
				for range rapid.IntRange(1, 5).Draw(rt, "polls") {
					w.poll(rt)
				}
			})
		})
	}
	t.Logf("%d cases; jobs with series: %v", cases, checked)
	for _, family := range append(slices.Collect(maps.Keys(promises())), "probe_targets") {
		if checked[family] == 0 {
			t.Errorf("%s was never exported", family)
		}
	}
}

// TestMain gives the quick loop 12 of rapid's 100 cases, and the race detector 25, unless
// -rapid.checks says how many. The heaps of these tests are small: to collect them often costs more time
// than it saves memory. In fake time goroutines run in turn: to hand over to another processor costs the quick loop a
// fifth of its time.
func TestMain(m *testing.M) {
	if os.Getenv("PROPERTY_ROUNDS") == "" {
		_ = flag.Set("rapid.checks", brief("12", "25"))
	}
	debug.SetGCPercent(400)
	runtime.GOMAXPROCS(brief(1, runtime.GOMAXPROCS(0)))
	m.Run()
}

// rounds is how often rapid's cases are run, each time in fresh fake time: rapid
// gives up after a day, and polls take their time. PROPERTY_ROUNDS sets it; the
// quick loop takes one.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("PROPERTY_ROUNDS")); err == nil {
		return n
	}
	return 1
}

// TestSoak repeats the property for as long as SOAK says.
func TestSoak(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Skip("set SOAK to a duration, as `make soak` does")
	}
	for start, rounds := time.Now(), 0; ; rounds++ {
		if time.Since(start) > duration {
			t.Logf("%d rounds", rounds)
			return
		}
		t.Run(strconv.Itoa(rounds), TestEveryExportedCountIsTrue)
	}
}

// bubble hides from rapid that it could ask for the test's deadline, which has no
// meaning in a synctest bubble.
type bubble struct{ *testing.T }

// world is a collector of two accounts.
type world struct {
	*fleet
	shows   *prometheus.Registry
	estates []*randomEstate
	checked map[string]int // how often a family was checked with series, by its name
}

// randomEstate is an account that changes while it is read.
type randomEstate struct {
	oracle
	name      string
	sim       *simulator.Simulator
	options   schedule.Options
	log       bytes.Buffer
	filtered  []filter // that a sweep consists of
	truths    map[string]*truth
	asked     time.Time // when the last poll began
	nextID    int64
	mutations []int // still to come, one a page
}

// truth is what may be exported of a job, and of when it is.
type truth struct {
	known
	swept time.Time // zero: never
}

// jobIDs are the jobs of each account.
func jobIDs() []string { return []string{"8888", "9999"} }

func vocabulary() (statuses, products, regions []string) {
	return []string{"editing", "pending", "processing", "success", "error", "error", "rollback", "rollback_error", "invented", ""},
		[]string{"SLB", "CDN", "webHosting"}, []string{"cn-hangzhou", "eu-central-1", ""}
}

func newWorld(t *testing.T, rt *rapid.T, checked map[string]int) *world {
	t.Helper()
	w := &world{checked: checked, shows: prometheus.NewPedanticRegistry()}
	w.fleet = newFleet(t, 2, func(i int) *simulator.Simulator {
		e := newEstate(rt, []string{"prod", "test"}[i])
		w.estates = append(w.estates, e)
		return e.sim
	}, func(i int, s *settings) { w.estates[i].watch(rt, s) })
	w.shows.MustRegister(w.facts)
	return w
}

func newEstate(rt *rapid.T, name string) *randomEstate {
	e := &randomEstate{oracle: oracle{jobs: map[string]*served{}}, name: name, truths: map[string]*truth{}}
	e.sim = simulator.New(simulator.Options{Now: time.Now, OrderByModified: rapid.Bool().Draw(rt, "order by modified")})
	past := time.Now().Add(-time.Hour)
	for id, status := range map[int64]string{8888: "processing", 9999: "success"} { // the same in both accounts
		e.sim.PutJob(simulator.Job{ID: id, Name: "renewal", Status: status, JobType: "user", Created: past, Modified: past}, nil)
		for range rapid.IntRange(0, 25).Draw(rt, "workers") {
			e.sim.PutWorker(id, e.worker(rt))
		}
	}
	e.sim.OnCall(func(call simulator.Call) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if call.Action == "ListWorkerResource" && len(e.mutations) > 0 {
			e.mutate(call.JobID, e.mutations[0])
			e.mutations = e.mutations[1:]
		}
	})
	return e
}

// watch draws the settings of an account.
func (e *randomEstate) watch(rt *rapid.T, s *settings) {
	s.Transport = recorder{e.sim.Transport(), e.record}
	s.RequestsPerSecond = 50
	a := &s.account
	a.Name, a.Logger = e.name, slog.New(slog.NewTextHandler(&e.log, nil))
	if rapid.Bool().Draw(rt, "configured") {
		a.Discovery, a.JobIDs = nil, []int64{8888, 9999}
	}
	a.PageSize = rapid.IntRange(1, 20).Draw(rt, "page size")
	a.MaxNamed = rapid.SampledFrom([]int{100, 3, 0}).Draw(rt, "failed worker limit")
	a.MaxHosts = rapid.SampledFrom([]int{0, 3, 100}).Draw(rt, "probe targets")
	a.ResyncInterval = rapid.SampledFrom([]time.Duration{time.Hour, 10 * time.Minute}).Draw(rt, "resync")
	if rapid.Bool().Draw(rt, "filtered") {
		a.Statuses = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"pending", "processing", "success", "error", "rollback_error"}), 0, 3, rapid.ID).Draw(rt, "statuses")
		a.Products = rapid.SampledFrom([][]string{nil, {"CDN"}, {"SLB", "slb"}, {"slb", "WEBHOSTING"}}).Draw(rt, "products")
	}
	e.options = *a
	for _, status := range slices.Concat(a.Statuses, []string{""})[:max(1, len(a.Statuses))] {
		for _, product := range slices.Concat(a.Products, []string{""})[:max(1, len(a.Products))] {
			e.filtered = append(e.filtered, filter{status, product})
		}
	}
}

func (e *randomEstate) worker(rt *rapid.T) simulator.Worker {
	e.nextID++
	statuses, products, regions := vocabulary()
	w := simulator.Worker{
		ID: e.nextID, Status: rapid.SampledFrom(statuses).Draw(rt, "status"),
		CloudProduct: rapid.SampledFrom(products).Draw(rt, "product"), RegionID: rapid.SampledFrom(regions).Draw(rt, "region"),
		InstanceID: "lb-" + strconv.FormatInt(e.nextID, 10), Port: int(e.nextID % 3), CertName: e.name,
	}
	if e.nextID%4 > 0 {
		w.ResourceDomain = fmt.Sprintf("%s-%d.example", []string{"a", "B", "*"}[e.nextID%3], e.nextID%7)
	}
	if w.RegionID == "" && e.nextID%2 == 0 {
		w.CloudRegion = "cn-beijing"
	}
	if ago := rapid.IntRange(0, 20).Draw(rt, "minutes ago"); ago > 0 {
		w.Modified = time.Now().Add(-time.Duration(ago) * time.Minute)
	}
	return w
}

// mutate changes a job between two pages, or while one is on its way.
func (e *randomEstate) mutate(jobID int64, kind int) {
	workers := e.sim.Workers(jobID)
	statuses, _, _ := vocabulary()
	switch {
	case kind < 4 && len(workers) > 0: // a worker moves on
		id := workers[(kind*7+len(workers)/2)%len(workers)].ID
		e.sim.UpdateWorker(jobID, id, func(worker *simulator.Worker) {
			worker.Status = statuses[(kind+int(id))%len(statuses)]
			worker.Modified = time.Now()
		})
	case kind == 4 && len(workers) > 0:
		e.sim.DeleteWorker(jobID, workers[0].ID)
	case kind == 5 && len(workers) > 0:
		e.sim.DeleteWorker(jobID, workers[len(workers)-1].ID)
	case kind == 6:
		e.nextID++
		e.sim.PutWorker(jobID, simulator.Worker{ID: e.nextID, Status: "pending", CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: time.Now()})
	case kind == 7:
		e.sim.UpdateJob(jobID, func(job *simulator.Job) { job.Modified = time.Now() })
	}
}

// disturb draws what happens to an account during a poll, and reports whether anything
// does.
func (e *randomEstate) disturb(rt *rapid.T) bool {
	e.sim.ClearFaults()
	mutations := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 10).Draw(rt, "mutations")
	e.mu.Lock()
	e.mutations = mutations
	for _, job := range e.jobs {
		job.reads = nil
	}
	e.mu.Unlock()
	fault := rapid.SampledFrom(append(disturbances(), slices.Repeat([]string{""}, 20)...)).Draw(rt, "fault")
	if fault == "" {
		return len(mutations) > 0
	}
	match := simulator.Match{
		Action: rapid.SampledFrom([]string{"ListWorkerResource", "ListWorkerResource", "ListWorkerResource", "ListDeploymentJob", "DescribeDeploymentJobStatus", "DescribeDeploymentJob"}).Draw(rt, "action"),
		Skip:   rapid.IntRange(0, 3).Draw(rt, "skip"), Times: rapid.IntRange(1, 20).Draw(rt, "times"),
	}
	// Of a listing these can be the truth: there are no jobs, or fewer.
	if fault == "job-not-found-empty" || fault == "total-low" {
		match.Action = "ListWorkerResource"
	}
	if match.Action == "ListWorkerResource" {
		match.Page = rapid.IntRange(0, 3).Draw(rt, "page")
	}
	if err := e.sim.Inject(fault, match); err != nil {
		rt.Fatal(err)
	}
	return true
}

// poll lets the exporter poll once, under random disturbances, and compares.
func (w *world) poll(rt *rapid.T) {
	disturbed := false
	for _, e := range w.estates {
		disturbed = e.disturb(rt) || disturbed
	}
	time.Sleep(time.Duration(rapid.SampledFrom([]int{1, 60, 250, 700}).Draw(rt, "pause")) * time.Second)
	w.compare(rt, w.shown(rt), "between polls")
	for _, e := range w.estates {
		e.asked = time.Now()
	}
	succeeded := w.Poll(rt.Context())
	if !succeeded && !disturbed {
		rt.Fatalf("a poll without any disturbance failed\n%s\n%s", &w.estates[0].log, &w.estates[1].log)
	}
	shown := w.shown(rt)
	up := true
	for _, e := range w.estates {
		up = shown[e.name][""].one("discovery_up") != 0 && up
		for _, id := range jobIDs() {
			jobUp := shown[e.name][id].one("deployment_job_up")
			up = up && jobUp == 1
			if jobUp == 1 && len(e.job(id).reads) > 0 {
				e.swept(rt, id)
			}
		}
	}
	if up != succeeded {
		rt.Fatalf("the poll succeeded: %v, and all jobs and listings are up: %v\n%s\n%s", succeeded, up, &w.estates[0].log, &w.estates[1].log)
	}
	w.compare(rt, shown, "after a poll")
}

// swept makes the sweep of a poll that succeeded the truth: of each filter the last read.
func (e *randomEstate) swept(rt *rapid.T, id string) {
	last := map[filter]*read{}
	var ended time.Time
	for _, r := range e.jobs[id].reads {
		last[r.filter], ended = r, r.ended
	}
	t := &truth{e.known(id), ended}
	t.rows, t.began, t.ended = map[string][]row{}, e.asked, ended
	for _, f := range e.filtered {
		r := last[f]
		if r == nil || !r.whole() {
			rt.Fatalf("%s, job %s is up after a read of %+v that is not whole: %+v", e.name, id, f, r)
		}
		for worker, variants := range r.rows {
			t.rows[worker] = append(t.rows[worker], variants...)
		}
	}
	if len(last) != len(e.filtered) {
		rt.Fatalf("%s, job %s: %d kinds of reads, want %v", e.name, id, len(last), e.filtered)
	}
	e.truths[id] = t
}

func (e *randomEstate) known(id string) known {
	o := &e.options
	return known{statuses: o.Statuses, products: o.Products, maxNamed: o.MaxNamed, stuckAfter: o.StuckAfter, last: id == "9999"}
}

// compare compares the exposition with what is known to be true.
func (w *world) compare(rt *rapid.T, shown map[string]map[string]exposed, when string) {
	for _, e := range w.estates {
		for _, id := range jobIDs() {
			if wrong := e.wrong(id, shown[e.name][id], w.checked); wrong != "" {
				rt.Fatalf("%s, %s, job %s: %s\n%s", when, e.name, id, wrong, &e.log)
			}
		}
	}
	for _, target := range probeTargets(rt, w.facts) {
		fields := strings.Fields(target) // address, account, region, job
		e := w.estates[slices.IndexFunc(w.estates, func(e *randomEstate) bool { return e.name == fields[1] })]
		t := e.truths[fields[3]]
		if t == nil || len(shown[e.name][fields[3]]["deployment_failed_workers_omitted"]) == 0 || !t.deployedTo(fields[0]) {
			rt.Fatalf("%s: nothing in success was read at %s: %+v", when, target, t)
		}
		w.checked["probe_targets"]++
	}
}

// deployedTo reports whether some worker was served as in success at an address.
func (t *truth) deployedTo(address string) bool {
	for _, variants := range t.rows {
		for _, v := range variants {
			port := v.port
			if port == "" || port == "0" {
				port = "443"
			}
			if v.status == "success" && strings.ToLower(v.domain)+":"+port == address {
				return true
			}
		}
	}
	return false
}

// wrong says what is wrong with the series of a job.
func (e *randomEstate) wrong(id string, shown exposed, checked map[string]int) string {
	if strays := shown.strays(); len(strays) > 0 {
		return "no promise is known of " + strings.Join(strays, ", ")
	}
	job, t := e.job(id), e.truths[id]
	current := func(at time.Time) bool { return !at.IsZero() && time.Since(at) <= e.options.MaxStaleness }
	for family, promise := range promises() {
		var since time.Time
		confirmable := true
		switch {
		case promise.of == ofTheCounts:
			since = job.counted
		case t != nil:
			since, confirmable = t.swept, job.finished
		}
		// An unchanged record of a later time can confirm what was read.
		must, may := current(since), !since.IsZero() && confirmable && current(job.record)
		if promise.of == ofTheSweep {
			may = may && len(shown["deployment_failed_workers_omitted"]) > 0 // all of a sweep goes at once
		} else {
			may = may && len(shown[family]) > 0
		}
		if !must && !may {
			if len(shown[family]) > 0 {
				return family + " is exported of what is too old, or was never read"
			}
			continue
		}
		k := e.known(id)
		if t != nil {
			k = t.known
		}
		k.reported, k.matched = -1, job.matched
		if t != nil { // else there is nothing to compare it with
			k.reported = job.reported
		}
		if wrong := promise.wrong(&k, shown); wrong != "" {
			return family + ": " + wrong
		}
		if len(shown[family]) > 0 {
			checked[family]++
		}
	}
	return ""
}

// shown returns what is exported, by account and job; that of an account itself is of the
// job "".
func (w *world) shown(rt *rapid.T) map[string]map[string]exposed {
	families, err := w.shows.Gather()
	if err != nil {
		rt.Fatal(err)
	}
	shown := map[string]map[string]exposed{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			s := newSeries(m)
			account, job := s.labels["account"], s.labels["job_id"]
			if shown[account] == nil {
				shown[account] = map[string]exposed{}
			}
			if shown[account][job] == nil {
				shown[account][job] = exposed{}
			}
			name := strings.TrimPrefix(family.GetName(), "aliyun_cas_")
			shown[account][job][name] = append(shown[account][job][name], s)
		}
	}
	return shown
}

// disturbances are the faults that the property is tried under: all that answer
// in bounded time and memory.
func disturbances() []string {
	return []string{
		"throttle-400", "throttle-acs-hint", "error-500", "html-502", "empty-200", "truncated-body", "cut-json", "not-json",
		"total-high", "total-low", "total-changes", "total-negative", "total-huge", "total-missing", "data-missing", "data-null",
		"empty-page", "duplicate-page", "short-page", "duplicate-row", "replaced-row", "row-without-id", "row-null", "clamp-20", "clamp-silent",
		"not-found", "forbidden", "wrong-key", "reset", "unknown-error-in-200", "job-not-found-empty", "nulls", "numbers-as-strings",
		"filter-ignored", "missing-status", "unknown-status", "unknown-product", "missing-region", "times-seconds", "times-zero", "times-garbage",
	}
}
