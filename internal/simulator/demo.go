package simulator

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Demo returns a Simulator whose estate is the same for the same seed and moves
// with the clock: renewals run and are followed by the next, some workers fail,
// some are stuck, a job is rolled back, another waits to be started.
func Demo(seed int64, now func() time.Time) *Simulator {
	s := New(Options{Now: now, Latency: 20 * time.Millisecond})
	d := &demo{rnd: rand.New(rand.NewPCG(uint64(seed), 8888)), start: now().Add(-time.Minute)} //nolint:gosec // a demo need not be unforeseeable
	s.SetQuota(500, 137)
	d.atRest(s)
	s.advance = d.advance
	return s
}

// demo moves the demo estate. It runs under the simulator's lock.
type demo struct {
	rnd     *rand.Rand
	start   time.Time
	renewal int64 // number of the renewal under way
	nextID  int64
}

// place is where a worker deploys to.
type place struct{ product, region, instance string }

func places() []place {
	return []place{
		{"SLB", "cn-hangzhou", "lb-bp1"},
		{"SLB", "cn-shanghai", "lb-uf6"},
		{"ALB", "cn-hangzhou", "alb-8rl"},
		{"NLB", "ap-southeast-1", "nlb-t4n"},
		{"CDN", "", ""},
		{"DCDN", "", ""},
		{"WAF", "cn-hangzhou", ""},
		{"OSS", "eu-central-1", ""},
		{"FC", "cn-beijing", ""},
		{"APIGateway", "cn-shenzhen", ""},
	}
}

const (
	renewalTakes = 6 * time.Minute
	renewalID    = 240600
)

// atRest builds the jobs that hardly change.
func (d *demo) atRest(s *Simulator) {
	day := 24 * time.Hour
	finished := func(id int64, name, status string, ago time.Duration) Job {
		at := d.start.Add(-ago)
		return Job{
			ID: id, InstanceID: fmt.Sprintf("cas-job-user-%d", id), Name: name, Status: status, JobType: "user", CertType: "upload",
			CertDomain: "*.example.com", ProductName: "SLB", Created: at.Add(-10 * time.Minute), Schedule: at.Add(-9 * time.Minute),
			Start: at.Add(-8 * time.Minute), End: at, Modified: at,
		}
	}
	put := func(job Job, notAfter time.Duration, n int, status func(i int) string) {
		job.Certificates = []Certificate{{
			ID: job.ID * 10, Name: "cert-" + job.Name, CommonName: "*.example.com",
			NotBefore: d.start.Add(notAfter - 90*day), NotAfter: d.start.Add(notAfter),
		}}
		s.put(&estate{job, d.workers(n, job, status)})
	}
	mostly := func(good string, exceptions map[int]string) func(int) string {
		return func(i int) string {
			if status, ok := exceptions[i]; ok {
				return status
			}
			return good
		}
	}
	put(finished(240510, "wildcard-example-com", "success", 3*day), 80*day, 420, mostly("success", map[int]string{
		7: "error", 77: "error", 177: "error", 300: "processing",
	}))
	put(finished(240522, "shop-example-net", "success", 20*day), 29*day, 35, mostly("success", nil))
	put(finished(240531, "api-example-org", "error", 2*time.Hour), 5*day, 24, mostly("success", map[int]string{
		1: "error", 2: "error", 3: "error", 11: "error", 12: "error",
	}))
	rolledBack := finished(240540, "static-example-com", "success", 40*time.Minute)
	rolledBack.Rollback = true
	put(rolledBack, 61*day, 18, mostly("rollback_success", map[int]string{0: "rollback", 1: "rollback", 2: "rollback_error", 3: "success"}))
	waiting := finished(240555, "hosted-renewal-example-io", "editing", 5*time.Hour)
	waiting.JobType, waiting.Schedule, waiting.Start, waiting.End = "trustee", time.Time{}, time.Time{}, time.Time{}
	put(waiting, 12*day, 9, mostly("editing", nil))
	scheduled := finished(240560, "maintenance-window", "pending", time.Hour)
	scheduled.Schedule, scheduled.Start, scheduled.End = d.start.Add(3*time.Hour), time.Time{}, time.Time{}
	put(scheduled, 44*day, 12, mostly("pending", nil))
	put(finished(240570, "multi-cloud-edge", "success", 9*day), 70*day, 260, mostly("success", nil))
}

func (d *demo) workers(n int, job Job, status func(i int) string) []Worker {
	all := places()
	workers := make([]Worker, n)
	for i := range workers {
		p := all[d.rnd.IntN(len(all))]
		d.nextID++
		w := Worker{
			ID: 4_190_000 + d.nextID, Status: status(i), CloudProduct: p.product, RegionID: p.region, CertName: "cert-" + job.Name,
			CertID: job.ID * 10, ResourceDomain: fmt.Sprintf("host%d.example.com", d.nextID), Created: job.Created,
			Modified: job.Modified.Add(-time.Duration(d.rnd.IntN(300)) * time.Second),
		}
		if p.instance != "" {
			w.InstanceID, w.Port = fmt.Sprintf("%s%04d", p.instance, i), 443
			w.ListenerID = fmt.Sprintf("lsn-%04d@443", i)
		}
		workers[i] = w
	}
	return workers
}

// advance moves the renewal to the present: its workers start one after another, run for a
// minute or two, and a few of them fail or get stuck. After the last one, the next renewal
// begins as a new job.
func (d *demo) advance(s *Simulator, now time.Time) {
	number := int64(now.Sub(d.start) / renewalTakes)
	id := renewalID + number
	began := d.start.Add(time.Duration(number) * renewalTakes)
	if e := s.jobs[id]; e == nil {
		s.drop(renewalID + d.renewal - 2) // two finished renewals stay in sight
		if last := s.jobs[renewalID+d.renewal]; last != nil {
			d.run(last, began) // to its end, also where nobody looked meanwhile
		}
		d.renewal = number
		job := Job{
			ID: id, InstanceID: fmt.Sprintf("cas-job-user-%d", id), Name: fmt.Sprintf("renewal-%d", number+1), Status: "pending", JobType: "user",
			CertType: "upload", CertDomain: "*.example.com", ProductName: "SLB,ALB,CDN", Created: began, Modified: began, Schedule: began,
			Certificates: []Certificate{{ID: id * 10, Name: fmt.Sprintf("cert-renewal-%d", number+1), CommonName: "*.example.com", NotBefore: began, NotAfter: began.Add(90 * 24 * time.Hour)}},
		}
		s.put(&estate{job, d.workers(60, job, func(int) string { return "pending" })})
	}
	d.run(s.jobs[id], now)
}

// run sets each worker of a renewal to its status at a time. Every sixth begins
// late, every ninth fails, and one is stuck.
func (d *demo) run(e *estate, now time.Time) {
	for i := range e.workers {
		w := &e.workers[i]
		begins := e.job.Created.Add(time.Duration(10+i*4) * time.Second)
		lasts := time.Duration(20+i%7*10) * time.Second
		status, since := "pending", e.job.Created
		switch {
		case now.After(begins.Add(lasts)) && i != 17:
			status, since = "success", begins.Add(lasts)
			if i%9 == 4 {
				status = "error"
			}
		case now.After(begins.Add(5 * time.Second)):
			status, since = "processing", begins.Add(5*time.Second)
		case now.After(begins):
			status, since = "scheduling", begins
		}
		w.Status, w.Modified = status, since
	}
	last := e.job.Created.Add(renewalTakes - 30*time.Second)
	switch {
	case now.After(last):
		e.job.Status, e.job.End, e.job.Modified = "success", last, last
	case now.After(e.job.Created.Add(10 * time.Second)):
		e.job.Start = e.job.Created.Add(10 * time.Second)
		e.job.Status, e.job.Modified = "processing", e.job.Start
	}
}
