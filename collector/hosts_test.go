package collector_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/internal/simulator"
)

// servedAt is a worker in success at a host.
func servedAt(id int64, domain string, port int, certID int64) simulator.Worker {
	return simulator.Worker{
		ID: id, Status: "success", CloudProduct: "SLB", RegionID: "cn-hangzhou", ResourceDomain: domain, Port: port, CertID: certID,
		CertName: fmt.Sprintf("cert-%d", certID), Modified: time.Now().Add(-time.Hour),
	}
}

func putJob(sim *simulator.Simulator, id int64, workers ...simulator.Worker) {
	sim.PutJob(simulator.Job{ID: id, Status: "success", Modified: time.Now().Add(-time.Hour)}, workers)
}

// probing switches the targets on.
func probing(s *settings) {
	discovering(s)
	s.account.MaxHosts = 100
}

// probeTargets returns a line for each target of the document, sorted: address and labels.
func probeTargets(t tb, c *collector.Collector) (all []string) {
	t.Helper()
	var text bytes.Buffer
	if err := c.WriteProbeTargets(&text); err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Targets []string
		Labels  map[string]string
	}
	if err := json.Unmarshal(text.Bytes(), &groups); err != nil {
		t.Fatalf("%v: %s", err, &text)
	}
	seen := map[string]bool{}
	for _, g := range groups {
		var labels string
		for _, name := range []string{"account", "api_region", "job_id", "cert_id", "cert_name", "cloud_product", "region_id"} {
			value, ok := g.Labels["__meta_aliyun_cas_"+name]
			if !ok {
				t.Fatalf("%s has no %s", g.Targets, name)
			}
			labels += " " + cmp.Or(value, "-")
		}
		if len(g.Labels) != 7 {
			t.Fatalf("%s has %d labels", g.Targets, len(g.Labels))
		}
		if len(g.Targets) == 0 || !slices.IsSorted(g.Targets) || seen[labels] {
			t.Fatalf("%s are not sorted, or another group has the labels %s", g.Targets, labels)
		}
		seen[labels] = true
		for _, target := range g.Targets {
			all = append(all, target+labels)
		}
	}
	slices.Sort(all)
	return all
}

func omittedHosts(t tb, r *rig, labels ...string) string {
	t.Helper()
	var all []string
	for _, reason := range []string{"ambiguous", "invalid", "limit", "wildcard"} {
		all = append(all, r.value(t, "probe_targets_omitted", append(labels, fmt.Sprintf("reason=%q", reason))...)+" "+reason)
	}
	return strings.Join(all, ", ")
}

// TestProbeTargets: a host belongs to the newest job that has a worker in success there, and
// is shown once, whatever else is in the way.
func TestProbeTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		failed := servedAt(1003, "failed.example.com", 443, 71)
		failed.Status = "error"
		cdn := simulator.Worker{ID: 1009, Status: "success", CloudProduct: "CDN", ResourceDomain: "cdn.example.com", Modified: time.Now()}
		putJob(sim, 100, servedAt(1, "www.example.com", 443, 70), servedAt(2, "old.example.com", 8443, 70), servedAt(3, "failed.example.com", 443, 70))
		putJob(
			sim, 200, servedAt(1001, "WWW.example.com", 0, 71), servedAt(1002, "www.example.com", 443, 71), failed,
			servedAt(1004, "*.example.com", 443, 71), servedAt(1005, ".example.com", 443, 71), servedAt(1006, "10.0.0.1", 443, 71),
			servedAt(1007, "both.example.com", 443, 71), servedAt(1008, "both.example.com", 443, 72), cdn,
		)
		r := newRig(t, sim, func(s *settings) {
			probing(s)
			s.account.Name, s.account.Region = "prod", "ap-southeast-1"
		})
		if got := probeTargets(t, r.facts); len(got) != 0 {
			t.Errorf("before the first poll: got %q", got)
		}
		r.Poll(t.Context())
		want := []string{
			"cdn.example.com:443 prod ap-southeast-1 200 - - CDN -",
			"failed.example.com:443 prod ap-southeast-1 100 70 cert-70 SLB cn-hangzhou",
			"old.example.com:8443 prod ap-southeast-1 100 70 cert-70 SLB cn-hangzhou",
			"www.example.com:443 prod ap-southeast-1 200 71 cert-71 SLB cn-hangzhou",
		}
		if got := probeTargets(t, r.facts); !slices.Equal(got, want) {
			t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := r.value(t, "probe_targets"); got != "4" {
			t.Errorf("%s targets are counted", got)
		}
		if got := omittedHosts(t, r); got != "2 ambiguous, 1 invalid, 0 limit, 2 wildcard" {
			t.Errorf("omitted: %s", got)
		}
		agree(t, r.facts)
	})
}

// TestProbeTargetsOff: nothing is shown, nothing counted.
func TestProbeTargetsOff(t *testing.T) {
	for name, change := range map[string]func(*settings){
		"off":                  discovering,
		"success is not read":  func(s *settings) { probing(s); s.account.Statuses = []string{"error"} },
		"its worker is hidden": func(s *settings) { probing(s); s.account.Products = []string{"CDN"} },
	} {
		synctest.Test(t, func(t *testing.T) {
			sim := simulator.New(simulator.Options{})
			putJob(sim, 100, servedAt(1, "www.example.com", 443, 70))
			r := newRig(t, sim, change)
			r.Poll(t.Context())
			var text bytes.Buffer
			if err := r.facts.WriteProbeTargets(&text); err != nil || text.String() != "[]\n" {
				t.Errorf("%s: got %q, %v", name, &text, err)
			}
			if got := len(r.values(t, "probe_targets")) > 0; got != (name == "its worker is hidden") {
				t.Errorf("%s: targets are counted: %v", name, got)
			}
		})
	}
}

// TestStaleJobsHaveNoProbeTargets: a job that cannot be read any more has none, and its
// hosts do not fall back to an older one.
func TestStaleJobsHaveNoProbeTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := simulator.New(simulator.Options{})
		putJob(sim, 100, servedAt(1, "www.example.com", 443, 70), servedAt(2, "old.example.com", 443, 70))
		putJob(sim, 200, servedAt(3, "www.example.com", 443, 71), servedAt(4, "new.example.com", 443, 71))
		r := newRig(t, sim, func(s *settings) {
			s.account.JobIDs, s.account.MaxHosts, s.account.ResyncInterval = []int64{100, 200}, 100, 5*time.Minute
		})
		r.Poll(t.Context())
		_ = sim.Inject("forbidden", simulator.Match{JobID: 200})
		for range 12 {
			time.Sleep(time.Minute)
			r.Poll(t.Context())
		}
		want := []string{"old.example.com:443 - - 100 70 cert-70 SLB cn-hangzhou"}
		if got := probeTargets(t, r.facts); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestProbeTargetsAgainstAnOracle changes random jobs of two accounts and compares the
// document, and the counts, with what the simulators hold.
func TestProbeTargetsAgainstAnOracle(t *testing.T) {
	for range max(1, rounds()/5) {
		synctest.Test(t, func(t *testing.T) {
			rapid.Check(bubble{t}, func(rt *rapid.T) {
				limit := rapid.SampledFrom([]int{1, 2, 3, 100}).Draw(rt, "limit")
				f := newFleet(t, 2, func(int) *simulator.Simulator { return simulator.New(simulator.Options{Now: time.Now}) }, func(_ int, s *settings) {
					s.RequestsPerSecond, s.account.MaxHosts = 1000, limit
				})
				for range rapid.IntRange(1, 5).Draw(rt, "ticks") {
					for range rapid.IntRange(1, 4).Draw(rt, "changes") {
						sim, id := f.sims[rapid.IntRange(0, 1).Draw(rt, "account")], rapid.Int64Range(1, 5).Draw(rt, "job")
						if rapid.IntRange(0, 5).Draw(rt, "vanishes") == 0 {
							sim.DeleteJob(id)
							continue
						}
						var workers []simulator.Worker
						for n := range rapid.Int64Range(0, 6).Draw(rt, "workers") {
							w := servedAt(id*100+n, rapid.SampledFrom([]string{"a.example", "b.example", "C.example", "d.example", "*.example", "10.0.0.1", ""}).Draw(rt, "domain"),
								rapid.SampledFrom([]int{0, 443, 8443}).Draw(rt, "port"), id*10+rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(rt, "certificate"))
							w.Status = rapid.SampledFrom([]string{"success", "success", "success", "error", "processing"}).Draw(rt, "status")
							workers = append(workers, w)
						}
						sim.PutJob(simulator.Job{ID: id, Status: rapid.SampledFrom([]string{"success", "processing"}).Draw(rt, "job status"), Modified: time.Now().Add(-time.Minute)}, workers)
						time.Sleep(time.Second)
					}
					time.Sleep(time.Minute)
					if !f.Poll(rt.Context()) {
						rt.Fatal("poll failed")
					}
					want := trueTargets(f.sims, limit)
					got := probeTargets(rt, f.facts)
					for i, line := range got {
						got[i] = strings.Join(strings.Fields(line)[:5], " ")
					}
					for i := range f.sims {
						name := fmt.Sprintf("team-%03d", i)
						label := fmt.Sprintf("account=%q", name)
						got = append(got, fmt.Sprintf("%s: %s targets, %s", name, f.value(rt, "probe_targets", label), omittedHosts(rt, f.rig, label)))
					}
					if !slices.Equal(got, want) {
						rt.Fatalf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
					}
				}
			})
		})
	}
}

// trueTargets returns the targets, with account, region, job and certificate, and what is
// counted of each account.
func trueTargets(sims []*simulator.Simulator, limit int) (all []string) {
	type place struct{ account, id int }
	type at struct {
		workers int
		certs   map[int64]bool
	}
	jobs, omitted := map[place]map[string]*at{}, make([]map[string]int, len(sims))
	var newest []place
	for account, sim := range sims {
		omitted[account] = map[string]int{}
		for _, job := range sim.Jobs() {
			p := place{account, int(job.ID)}
			jobs[p], newest = map[string]*at{}, append(newest, p)
			for _, w := range sim.Workers(job.ID) {
				address := strings.ToLower(w.ResourceDomain) + ":" + strconv.Itoa(cmp.Or(w.Port, 443))
				switch {
				case w.Status != "success":
				case strings.HasPrefix(address, "*"):
					omitted[account]["wildcard"]++
				case !strings.Contains(address, "example"):
					omitted[account]["invalid"]++
				default:
					if jobs[p][address] == nil {
						jobs[p][address] = &at{certs: map[int64]bool{}}
					}
					jobs[p][address].workers++
					jobs[p][address].certs[w.CertID] = true
				}
			}
		}
	}
	slices.SortFunc(newest, func(a, b place) int { return cmp.Or(b.id-a.id, a.account-b.account) })
	owned, counts := map[string]bool{}, make([]int, len(sims))
	for i, p := range newest {
		var addresses []string
		for address := range jobs[p] {
			addresses = append(addresses, address)
		}
		slices.Sort(addresses)
		for n, address := range addresses {
			a := jobs[p][address]
			// A newer job of the account may have it beyond its limit.
			hidden := n >= limit || slices.ContainsFunc(newest[:i], func(o place) bool {
				return o.account == p.account && len(jobs[o]) > limit && countBelow(jobs[o], address) >= limit
			})
			switch {
			case n < limit && owned[address]:
			case hidden:
				omitted[p.account]["limit"] += a.workers
			case len(a.certs) > 1:
				omitted[p.account]["ambiguous"] += a.workers
			default:
				for cert := range a.certs {
					all = append(all, fmt.Sprintf("%s team-%03d - %d %d", address, p.account, p.id, cert))
				}
				counts[p.account]++
			}
			owned[address] = owned[address] || n < limit
		}
	}
	slices.Sort(all)
	for i, o := range omitted {
		all = append(all, fmt.Sprintf("team-%03d: %d targets, %d ambiguous, %d invalid, %d limit, %d wildcard", i, counts[i], o["ambiguous"], o["invalid"], o["limit"], o["wildcard"]))
	}
	return all
}

// countBelow counts the addresses that come before one.
func countBelow[T any](all map[string]T, address string) (n int) {
	for other := range all {
		if other < address {
			n++
		}
	}
	return n
}

// BenchmarkProbeTargets: 10,000 jobs of 20 hosts, half of which a newer job has too.
func BenchmarkProbeTargets(b *testing.B) {
	const jobs, hosts = 10_000, 20
	for _, on := range []int{0, 100} {
		sim := simulator.New(simulator.Options{})
		for job := range int64(jobs) {
			var workers []simulator.Worker
			for n := range int64(hosts) {
				host := job*hosts + n
				if n%2 == 1 && job > 0 {
					host -= hosts + 1
				}
				workers = append(workers, servedAt(job*hosts+n+1, fmt.Sprintf("host-%06d.example.com", host), 443, 240_000+job))
			}
			putJob(sim, 240_000+job, workers...)
		}
		r := newRig(b, sim, func(s *settings) {
			discovering(s)
			s.RequestsPerSecond, s.account.MaxHosts = 1e6, on
		})
		if !r.Poll(b.Context()) {
			b.Fatal(r.log)
		}
		b.Run(fmt.Sprintf("limit=%d/document", on), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := r.facts.WriteProbeTargets(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("limit=%d/scrape", on), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := writeText(io.Discard, r.facts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
