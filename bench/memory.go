package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// memory sweeps a million workers, whose ids come in a row or far apart.
func memory(b *bench) ([]figure, error) {
	const workers = 1_000_000
	e := huge(workers)
	e.apart = 64
	_, scattered, err := b.sweepCost(e)
	if err != nil {
		return nil, err
	}
	a, err := serve(huge(workers).simulator(), false, 0)
	if err != nil {
		return nil, err
	}
	defer a.close()
	p, err := b.startExporter(a, "CAS_JOB_IDS=1", "CAS_POLL_INTERVAL=1h", "CAS_RESYNC_INTERVAL=24h", fmt.Sprint("CAS_MAX_WORKERS_PER_JOB=", workers))
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err = p.await(`aliyun_cas_deployment_job_workers{job_id="1"}`, workers); err != nil {
		return nil, err
	}
	figures, err := p.resident("exporter", "< 128 MiB")
	if err != nil {
		return nil, err
	}
	figures = append(figures, figure{"exporter, ids far apart: peak resident memory", scattered, " MiB", "< 128 MiB"})
	return b.againstNaive(a, figures, "-job", "1")
}

// hosts sweeps a million workers and keeps no hosts, then a thousand.
func hosts(b *bench) (figures []figure, err error) {
	e := huge(1_000_000)
	e.hosts = true
	for name, limit := range map[string]string{"off": "0", "1,000 targets": "1000"} {
		seconds, mib, err := b.sweepCost(e, "CAS_PROBE_TARGETS_PER_JOB="+limit)
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{name + ": CPU", seconds, " s", ""}, figure{name + ": peak resident memory", mib, " MiB", "< 128 MiB"})
	}
	slices.SortFunc(figures, func(a, b figure) int { return strings.Compare(b.name, a.name) })
	return figures, nil
}

// againstNaive adds the peak of the naive exporter, and the ratio.
func (b *bench) againstNaive(a *api, figures []figure, arguments ...string) ([]figure, error) {
	p, err := b.startNaive(a, append(arguments, "-interval", "1h")...)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err = p.await("naive_polls_total", 1); err != nil {
		return nil, err
	}
	peak, err := p.status("VmHWM")
	if err != nil {
		return nil, err
	}
	return append(figures,
		figure{"naive: peak resident memory", peak, " MiB", ""},
		figure{"naive / exporter: peak resident memory", peak / figures[0].value, "", ""},
	), nil
}

// watch reads ten thousand jobs, then idles under scrapes.
func watch(b *bench) ([]figure, error) {
	const jobs, rounds = 10_000, 10
	a, err := serve(finished(jobs).simulator(), false, 0)
	if err != nil {
		return nil, err
	}
	defer a.close()
	p, err := b.startExporter(a, "CAS_POLL_INTERVAL=5s", "CAS_MAX_STALENESS=2h", "CAS_RESYNC_INTERVAL=24h", "CAS_DISCOVERY_MAX_AGE=0")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	for read := 0.0; read < jobs; time.Sleep(200 * time.Millisecond) {
		// Without scrapes, so that the first read is measured alone.
		read = float64(a.Calls()["ListDeploymentJobCert"])
	}
	time.Sleep(2 * time.Second)
	afterRead, err := p.status("VmHWM")
	if err != nil {
		return nil, err
	}
	a.ResetStats()
	var longest time.Duration
	var series, size int
	for a.Calls()["ListDeploymentJob"] < rounds*jobs/50 {
		start := time.Now()
		text, failed := p.scrape()
		if failed != nil {
			return nil, failed
		}
		longest = max(longest, time.Since(start))
		series, size = countSeries(text, ""), len(text)
		time.Sleep(time.Second)
	}
	figures, err := p.resident("exporter", "< 64 MiB")
	if err != nil {
		return nil, err
	}
	figures = append(figures,
		figure{"exporter: peak before the first scrape", afterRead, " MiB", ""},
		figure{"exporter: series", float64(series), "", ""},
		figure{"exporter: exposition", float64(size) / (1 << 20), " MiB", ""},
		figure{"exporter: longest scrape", float64(longest.Milliseconds()), " ms", ""},
	)
	return b.againstNaive(a, figures)
}

// idle watches a usual account.
func idle(b *bench) ([]figure, error) {
	const watched = 2 * time.Minute
	a, err := serve(finished(100).simulator(), false, 0)
	if err != nil {
		return nil, err
	}
	defer a.close()
	p, err := b.startExporter(a)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err = p.await("aliyun_cas_deployment_jobs", 0); err != nil {
		return nil, err
	}
	served := time.Since(p.began)
	if err = p.settle(100); err != nil {
		return nil, err
	}
	read := time.Since(p.began)
	before, err := p.cpu()
	if err != nil {
		return nil, err
	}
	for start := time.Now(); time.Since(start) < watched; time.Sleep(15 * time.Second) {
		if _, err = p.scrape(); err != nil {
			return nil, err
		}
	}
	after, err := p.cpu()
	if err != nil {
		return nil, err
	}
	binary, err := os.Stat(b.exporter)
	if err != nil {
		return nil, err
	}
	figures, err := p.resident("idle", "")
	return append(figures,
		figure{"idle: CPU a day", (after - before) * 24 * time.Hour.Seconds() / watched.Seconds(), " s", ""},
		figure{"from the start to the first metrics", float64(served.Milliseconds()), " ms", ""},
		figure{"from the start to 100 jobs read and their round ended", read.Seconds(), " s", ""},
		figure{"binary", float64(binary.Size()) / (1 << 20), " MiB", ""},
	), err
}
