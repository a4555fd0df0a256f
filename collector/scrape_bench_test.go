package collector_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/simulator"
)

// seriesOfAJob is how many series a job of settled has.
const seriesOfAJob = 44

// settled returns a rig that has read enough finished jobs for so many series. Each
// has a failed worker, and workers in one place.
func settled(b *testing.B, series int) *rig {
	b.Helper()
	at := time.Now().Add(-time.Hour)
	sim := simulator.New(simulator.Options{})
	for id := range int64(series / seriesOfAJob) {
		workers := crowd(9)
		for i := range workers {
			workers[i].ID += id * 100
			workers[i].CloudProduct, workers[i].RegionID, workers[i].InstanceID = "SLB", "cn-hangzhou", "lb-2ze7jvmapp6sjw7glvgx0"
		}
		sim.PutJob(simulator.Job{
			ID: 240_000 + id, Name: "renewal-www.example.com-2026", Status: "success", JobType: "user", CertType: "upload",
			Created: at, Modified: at, Schedule: at, Start: at, End: at,
			Certificates: []simulator.Certificate{{ID: 12073663, Name: "www.example.com-2026", CommonName: "www.example.com", NotAfter: at}},
		}, workers)
	}
	r := newRig(b, sim, func(s *settings) {
		s.RequestsPerSecond = 1e6
		s.account.Discovery = &schedule.Discovery{}
	})
	if !r.Poll(b.Context()) {
		b.Fatal(r.log)
	}
	return r
}

// BenchmarkScrape compares the facts as the exporter writes them with expfmt over
// the same metrics, ready before the clock starts, and with the way by a registry.
func BenchmarkScrape(b *testing.B) {
	for _, series := range []int{1000, 10_000, 100_000} {
		r := settled(b, series)
		facts := prometheus.NewRegistry()
		facts.MustRegister(r.facts)
		encode := func(families []*dto.MetricFamily) {
			for _, family := range families {
				if _, err := expfmt.MetricFamilyToText(io.Discard, family); err != nil {
					b.Fatal(err)
				}
			}
		}
		ready, err := facts.Gather()
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for _, family := range ready {
			n += len(family.GetMetric())
		}
		if n < series-50 || n > series+50 {
			b.Fatalf("%d series, want %d", n, series)
		}
		for _, by := range []struct {
			name   string
			scrape func()
		}{
			{"exporter", func() {
				if err := writeText(io.Discard, r.facts); err != nil {
					b.Fatal(err)
				}
			}},
			{"expfmt", func() { encode(ready) }},
			{"registry", func() {
				families, err := facts.Gather()
				if err != nil {
					b.Fatal(err)
				}
				encode(families)
			}},
		} {
			b.Run(fmt.Sprintf("series=%d/by=%s", series, by.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					by.scrape()
				}
			})
		}
	}
}

// BenchmarkStates takes what the pages show of 1,000 and 10,000 jobs; a server does so once a second at most.
func BenchmarkStates(b *testing.B) {
	for _, jobs := range []int{1000, 10_000} {
		r := settled(b, jobs*seriesOfAJob)
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n := len(r.facts.States()[0].Jobs); n != jobs {
					b.Fatal(n)
				}
			}
		})
	}
}
