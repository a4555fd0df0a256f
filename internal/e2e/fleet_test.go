//go:build e2e

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/proctest"
)

// quiet is how many evaluations a false alert has time to arrive in: more than
// any rule's for, but for those of an hour and more.
const quiet = 18

func TestOneExporterIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.api.PutJob(rollout(8888, "renewal-example-com"))
	first := w.exporter()
	w.scrape(first)
	alert := w.fails(8888)

	// By a Deployment: the next is ready before the first ends.
	second := w.ready(w.exporter())
	w.scrape(first, second)
	w.scrape(second)
	first.Stop()
	// By a service manager: at the same address, after a gap.
	second.Stop()
	w.sees(`up`, "instance", map[string]float64{second.Address: 0})
	w.scrape(w.exporter("CAS_WEB_LISTEN_ADDRESS=" + second.Address))

	w.settle(quiet)
	w.stands(alert)
	w.becomes(8888, "success", time.Now())
	w.hook.resolved(t, alert)
	w.only(workersFailed)
}

func TestReplicas(t *testing.T) {
	w := newWorld(t)
	w.api.PutJob(rollout(8888, "renewal-example-com"))
	replicas := []*proctest.Process{w.exporter(), w.exporter()}
	w.scrape(replicas...)
	alert := w.fails(8888)

	for i := range replicas {
		old := replicas[i]
		replicas[i] = w.ready(w.exporter())
		w.scrape(append(replicas, old)...)
		w.scrape(replicas...)
		old.Stop()
	}
	// One that dies is missed, but the other watches.
	replicas[0].Kill()
	down := w.hook.firing(t, map[string]string{"alertname": targetDown})
	w.says(down, about(targetDown, "warning", ""), replicas[0].Address, "First, ")

	w.settle(quiet)
	w.stands(alert)
	if n := len(w.hook.matching("firing", alert.Labels)); n != 1 {
		t.Errorf("%d messages of one failure, want 1", n)
	}
	w.becomes(8888, "success", time.Now())
	w.hook.resolved(t, alert)
	w.only(targetDown, workersFailed)
}

// shards starts the exporters of all shards.
func (w *world) shards(total int) []*proctest.Process {
	w.Helper()
	var exporters []*proctest.Process
	for n := range total {
		exporters = append(exporters, w.shard(n, total))
	}
	return exporters
}

func (w *world) shard(n, total int) *proctest.Process {
	w.Helper()
	return w.exporter(fmt.Sprintf("CAS_SHARD=%d", n), fmt.Sprintf("CAS_TOTAL_SHARDS=%d", total))
}

// parted waits until so many jobs are watched, each once, and returns the shard of
// each.
func (w *world) parted(jobs, total int) map[string]int {
	w.Helper()
	w.sees(fmt.Sprintf(`count(count by (job_id) (aliyun_cas_deployment_job_workers) == 1) and count(aliyun_cas_shard_info) == %d`, total),
		"", map[string]float64{"": float64(jobs)})
	shard := map[string]int{}
	for n := range total {
		mine, problem := w.query(fmt.Sprintf(
			`aliyun_cas_deployment_job_workers and on (instance) aliyun_cas_shard_info{shard="%d",total_shards="%d"}`, n, total), "job_id")
		if problem != "" {
			w.Fatal(problem)
		}
		for job := range mine {
			shard[job] = n
		}
	}
	if len(shard) != jobs {
		w.Errorf("the shards watch %d jobs, want %d", len(shard), jobs)
	}
	return shard
}

// TestShards replaces the exporters of three shards, then those by four.
func TestShards(t *testing.T) {
	w := newWorld(t)
	const jobs = 300
	w.api.PutJob(rollout(8000, "renewal-example-com"))
	for i := range int64(jobs - 1) {
		w.api.PutJob(finished(rollout(8001+i, "before")))
	}
	three := w.shards(3)
	w.scrape(three...)
	before := w.parted(jobs, 3)
	peak := w.api.PeakPerSecond()
	t.Logf("%d jobs in three shards, none twice; at most %d calls in a second, of %d allowed", jobs, peak, limit)
	if underWay := 3 * 4; peak > limit+underWay { // what a busy machine held up may arrive at once
		t.Errorf("%d calls in a second, want at most %d", peak, limit)
	}
	alert := w.fails(8000)

	// By a StatefulSet: each ends before the next of its number begins.
	for i := range three {
		three[i].Stop()
		three[i] = w.shard(i, 3)
		w.scrape(three...)
	}
	four := w.shards(4)
	for i := range four {
		w.ready(four[i])
	}
	w.scrape(append(three, four...)...)
	w.scrape(four...)
	for i := range three {
		three[i].Stop()
	}
	moved := 0
	for job, shard := range w.parted(jobs, 4) {
		if shard == before[job] {
			continue
		}
		if moved++; shard != 3 {
			t.Errorf("job %s moved from shard %d to shard %d, which is not the additional one", job, before[job], shard)
		}
	}
	t.Logf("a fourth shard moved %d of %d jobs", moved, jobs)
	if moved < jobs/6 || moved > jobs/3 {
		t.Errorf("a fourth shard moved %d of %d jobs, want about a quarter", moved, jobs)
	}

	w.settle(quiet)
	w.stands(alert)
	w.becomes(8000, "success", time.Now())
	w.hook.resolved(t, alert)
	w.only(workersFailed)
}

func TestMissingShard(t *testing.T) {
	w := newWorld(t)
	for i := range int64(12) {
		w.api.PutJob(finished(rollout(8001+i, "before")))
	}
	three := w.shards(3)
	w.scrape(three...)
	three[1].Kill()
	alert := w.hook.firing(t, map[string]string{"alertname": shardMissing})
	w.says(alert, about(shardMissing, "critical", "", "total_shards", "3"), "1 of 3", "0 2")
	three[1] = w.shard(1, 3)
	w.scrape(three...)
	w.hook.resolved(t, alert)
	w.only(shardMissing)
}
