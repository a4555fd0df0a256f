package collector_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"aliyun_cas_exporter/internal/simulator"
)

// TestEveryExportedCountIsTrue is the promise of the program: whatever the estate
// and the API do, each exported count of a job comes from one read of its pages
// that was complete by itself, each worker counted once, as it was served in that
// read; or the job is not up, and the counts are those of the last such read, or
// absent when they are too old.
//
// The oracle is independent of the exporter: it decodes what the API served.
func TestEveryExportedCountIsTrue(t *testing.T) {
	cases := 0
	for range rounds() {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(bubble{t}, func(rt *rapid.T) {
				cases++
				world := newWorld(t, rt)
				for range rapid.IntRange(1, 6).Draw(rt, "cycles") {
					world.cycle(rt)
				}
			})
		})
	}
	t.Logf("%d cases", cases)
}

// rounds is how often rapid's 100 cases are run, each time in fresh fake time:
// rapid gives up after a day, and polls take their time. PROPERTY_ROUNDS sets it;
// the quick loop takes one.
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

const jobID = 8888

// world is a random estate with the exporter that watches it.
type world struct {
	*rig
	statuses, products, regions []string
	nextID                      int64

	mu    sync.Mutex
	reads []*read // of the cycle
	last  *read   // the last complete one of all cycles
}

// read is one pass over the pages, as served.
type read struct {
	total  int64
	rows   map[json.Number][]served // more than one where a row moved or was served twice
	steady bool                     // every page reported the same total
	ended  time.Time                // when its last page was served
}

type served struct {
	Id                             json.Number
	Status, CloudProduct, RegionId string
}

func newWorld(t *testing.T, rt *rapid.T) *world {
	t.Helper()
	w := &world{
		statuses: []string{"editing", "pending", "processing", "success", "error", "rollback", "rollback_error", "invented"},
		products: []string{"SLB", "CDN", "webHosting"}, regions: []string{"cn-hangzhou", "eu-central-1", ""},
	}
	sim := simulator.New(simulator.Options{Now: time.Now, OrderByModified: rapid.Bool().Draw(rt, "order by modified")})
	sim.PutJob(simulator.Job{ID: jobID, Name: "renewal", Status: "processing", JobType: "user", Created: time.Now(), Modified: time.Now()}, nil)
	for range rapid.IntRange(0, 60).Draw(rt, "workers") {
		sim.PutWorker(jobID, w.worker(rt))
	}
	mutations := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 30).Draw(rt, "mutations")
	sim.OnCall(func(call simulator.Call) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if call.Action != "ListWorkerResource" || len(mutations) == 0 {
			return
		}
		w.mutate(mutations[0])
		mutations = mutations[1:]
	})
	w.rig = newRig(t, sim, func(s *settings) {
		s.Transport = recorder{sim.Transport(), w.record}
		s.account.JobIDs = []int64{jobID}
		s.account.PageSize = rapid.IntRange(1, 20).Draw(rt, "page size")
		s.RequestsPerSecond = 50
	})
	return w
}

func (w *world) worker(rt *rapid.T) simulator.Worker {
	w.nextID++
	return simulator.Worker{
		ID: w.nextID, Status: rapid.SampledFrom(w.statuses).Draw(rt, "status"),
		CloudProduct: rapid.SampledFrom(w.products).Draw(rt, "product"), RegionID: rapid.SampledFrom(w.regions).Draw(rt, "region"),
		Created: time.Now(), Modified: time.Now(),
	}
}

// mutate changes the estate between two pages, or while one is on its way.
func (w *world) mutate(kind int) {
	workers := w.sim.Workers(jobID)
	switch {
	case kind < 4 && len(workers) > 0: // a worker moves on
		id := workers[(kind*7+len(workers)/2)%len(workers)].ID
		w.sim.UpdateWorker(jobID, id, func(worker *simulator.Worker) {
			worker.Status = w.statuses[(kind+int(id))%len(w.statuses)]
			worker.Modified = time.Now()
		})
	case kind == 4 && len(workers) > 0:
		w.sim.DeleteWorker(jobID, workers[0].ID)
	case kind == 5 && len(workers) > 0:
		w.sim.DeleteWorker(jobID, workers[len(workers)-1].ID)
	case kind == 6:
		w.nextID++
		w.sim.PutWorker(jobID, simulator.Worker{ID: w.nextID, Status: "pending", CloudProduct: "SLB", RegionID: "cn-hangzhou", Modified: time.Now()})
	}
}

// record keeps what a page of workers held.
func (w *world) record(req *http.Request, body []byte) {
	query := req.URL.Query()
	if query.Get("Action") != "ListWorkerResource" {
		return
	}
	var answer struct {
		Total *int64
		Data  []served
	}
	valid := json.Unmarshal(body, &answer) == nil && answer.Total != nil
	w.mu.Lock()
	defer w.mu.Unlock()
	if query.Get("CurrentPage") == "1" {
		w.reads = append(w.reads, &read{rows: map[json.Number][]served{}, steady: true, total: -1})
	}
	if !valid {
		return
	}
	r := w.reads[len(w.reads)-1]
	if r.total < 0 {
		r.total = *answer.Total
	}
	r.steady = r.steady && *answer.Total == r.total
	r.ended = time.Now()
	for _, row := range answer.Data {
		if !slices.Contains(r.rows[row.Id], row) {
			r.rows[row.Id] = append(r.rows[row.Id], row)
		}
	}
}

// cycle lets the exporter poll once, under a random fault, and compares.
func (w *world) cycle(rt *rapid.T) {
	w.sim.ClearFaults()
	if name := rapid.SampledFrom(append(disturbances(), "", "", "")).Draw(rt, "fault"); name != "" {
		match := simulator.Match{
			Action: "ListWorkerResource", Page: rapid.IntRange(0, 3).Draw(rt, "page"),
			Skip: rapid.IntRange(0, 3).Draw(rt, "skip"), Times: rapid.IntRange(1, 20).Draw(rt, "times"),
		}
		if err := w.sim.Inject(name, match); err != nil {
			rt.Fatal(err)
		}
	}
	time.Sleep(time.Duration(rapid.IntRange(0, 250).Draw(rt, "pause")) * time.Second)
	w.compare(rt, "between polls")
	w.mu.Lock()
	w.reads = nil
	w.mu.Unlock()
	up := w.Poll(rt.Context())
	if up {
		r := w.reads[len(w.reads)-1]
		if !r.steady || int64(len(r.rows)) != r.total {
			rt.Fatalf("up after a read of %d distinct rows of %d, steady %v", len(r.rows), r.total, r.steady)
		}
		w.last = r
	}
	if got, want := w.value(rt, "deployment_job_up"), map[bool]string{true: "1", false: "0"}[up]; got != want {
		rt.Fatalf("up is %s, want %s\n%s", got, want, w.log)
	}
	w.compare(rt, "after a poll")
}

// compare holds the exposition against the last complete read.
func (w *world) compare(rt *rapid.T, when string) {
	least, most := map[string]int{}, map[string]int{}
	workers := "absent"
	if w.last != nil && time.Since(w.last.ended) <= w.options.MaxStaleness {
		workers = strconv.Itoa(len(w.last.rows))
		for _, variants := range w.last.rows {
			for _, row := range variants {
				key := fmt.Sprintf("cloud_product=%q job_id=%q region_id=%q status=%q ", row.CloudProduct, strconv.Itoa(jobID), row.RegionId, row.Status)
				most[key]++
				if len(variants) == 1 {
					least[key]++
				}
			}
		}
	}
	if got := w.value(rt, "deployment_job_workers"); got != workers {
		rt.Fatalf("%s: %s workers, want %s", when, got, workers)
	}
	sum := 0
	for key, got := range w.exported(rt) {
		if got < least[key] || got > most[key] {
			rt.Fatalf("%s: %s is %d, want %d to %d", when, key, got, least[key], most[key])
		}
		delete(least, key)
		sum += got
	}
	if len(least) > 0 {
		rt.Fatalf("%s: not exported: %v", when, least)
	}
	if workers != "absent" && strconv.Itoa(sum) != workers {
		rt.Fatalf("%s: the counts add up to %d, not to %s", when, sum, workers)
	}
}

// exported returns the exported counts by their labels.
func (w *world) exported(rt *rapid.T) map[string]int {
	families, err := w.registry.Gather()
	if err != nil {
		rt.Fatal(err)
	}
	counts := map[string]int{}
	for _, family := range families {
		if family.GetName() != "aliyun_cas_deployment_workers" {
			continue
		}
		for _, m := range family.GetMetric() {
			var key strings.Builder
			for _, label := range m.GetLabel() {
				fmt.Fprintf(&key, "%s=%q ", label.GetName(), label.GetValue())
			}
			counts[key.String()] = int(m.GetGauge().GetValue())
		}
	}
	return counts
}

// disturbances are the faults that the property is tried under: all that answer
// in bounded time and memory.
func disturbances() []string {
	return []string{
		"throttle-400", "throttle-acs-hint", "error-500", "html-502", "empty-200", "truncated-body", "cut-json", "not-json",
		"total-high", "total-low", "total-changes", "total-negative", "total-huge", "total-missing", "data-missing", "data-null",
		"empty-page", "duplicate-page", "short-page", "duplicate-row", "row-without-id", "row-null", "clamp-20", "clamp-silent",
		"not-found", "forbidden", "wrong-key", "reset", "unknown-error-in-200", "job-not-found-empty", "nulls", "numbers-as-strings",
	}
}
