package prometheus_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/collector"
	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

// TestPagesSayWhatAlertsSay: for each pair, the exporter's own pages show the troubles whose alerts fire.
func TestPagesSayWhatAlertsSay(t *testing.T) {
	now := time.Now()
	before := now.Add(-2 * time.Hour)
	for p, want := range covers() {
		v := &schedule.View{
			ID: 8888, Polled: true, Up: true, Since: before, Success: now,
			Snapshot: &sweep.Snapshot{Swept: now, Workers: 1, Groups: []sweep.Group{{CloudProduct: "SLB", Status: p.worker, Workers: 1, Oldest: before}}},
			Record:   schedule.Dated[*cas.Job]{Value: &cas.Job{Status: p.job, Modified: before, Start: before}, Read: before, At: now},
		}
		if p.job == "processing" {
			v.Progress = schedule.Progress{Since: before}
		}
		var got []string
		for _, trouble := range collector.Troubles([]*schedule.View{v}, &schedule.Options{PollInterval: time.Minute, MaxStaleness: 10 * time.Minute}, now)[0] {
			got = append(got, trouble.Alert)
		}
		slices.Sort(got)
		if diff := cmp.Diff(fired(want), got); diff != "" {
			t.Errorf("%s (-alerts +pages):\n%s", p, diff)
		}
	}
}
