package main

import (
	"fmt"
	"os/exec"
	"slices"
	"time"

	"aliyun_cas_exporter/bench/limit"
	"aliyun_cas_exporter/internal/simulator"
)

// The job that is swept, and how long each answer takes.
const (
	sweptWorkers = 100_000
	sweptLatency = 50 * time.Millisecond
)

// sweep reads one large job: in three ways by the exporter, beside the bare reader
// where latency is the limit, and once by the naive exporter.
func sweep(b *bench) ([]figure, error) {
	atLatency := limit.API{PageSize: 50, Concurrency: 4, Rate: 10_000, Latency: sweptLatency}
	figures, took, err := b.sweepAs("4 on their way", atLatency, false, true)
	if err != nil {
		return nil, err
	}
	secure, _, err := b.sweepAs("4 on their way, HTTP/2", atLatency, true, true)
	if err != nil {
		return nil, err
	}
	// The bare reader knows no rate.
	atRate, _, err := b.sweepAs("100 a second", limit.API{PageSize: 50, Concurrency: 16, Rate: 100, Latency: sweptLatency}, false, false)
	if err != nil {
		return nil, err
	}
	figures = slices.Concat(figures, secure, atRate)

	a, err := serve(huge(sweptWorkers).simulator(), false, sweptLatency)
	if err != nil {
		return nil, err
	}
	defer a.close()
	p, err := b.startNaive(a, "-job", "1", "-interval", "1h")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err = p.await("naive_polls_total", 1); err != nil {
		return nil, err
	}
	return append(figures,
		figure{"naive: time", a.took().Seconds(), " s", ""},
		figure{"naive: connections", float64(a.connections), "", ""},
		figure{"naive: time / the exporter's with 4 on their way", a.took().Seconds() / took.Seconds(), "", ""},
	), nil
}

// sweepAs lets the exporter read the job within a bound, and the bare reader as well.
func (b *bench) sweepAs(name string, bound limit.API, secure, bare bool) (figures []figure, took time.Duration, err error) {
	a, err := serve(huge(sweptWorkers).simulator(), secure, bound.Latency)
	if err != nil {
		return nil, 0, err
	}
	defer a.close()
	p, err := b.startExporter(a, "CAS_JOB_IDS=1", "CAS_POLL_INTERVAL=1h", "CAS_RESYNC_INTERVAL=24h",
		fmt.Sprint("CAS_CONCURRENCY=", bound.Concurrency), fmt.Sprint("CAS_REQUESTS_PER_SECOND=", bound.Rate))
	if err != nil {
		return nil, 0, err
	}
	defer p.stop()
	if err = p.await(`aliyun_cas_deployment_job_workers{job_id="1"}`, sweptWorkers); err != nil {
		return nil, 0, err
	}
	pages := bound.Pages(sweptWorkers)
	took = a.took()
	figures = []figure{
		{name + ": calls / least possible", float64(a.Calls()["ListWorkerResource"]) / float64(pages), "", "1"},
		{name + ": time / least possible", took.Seconds() / bound.Time(pages).Seconds(), "", "≤ 1.05"},
		{name + ": time", took.Seconds(), " s", ""},
		{name + ": connections", float64(a.connections), "", fmt.Sprint("≤ ", bound.Concurrency)},
		{name + ": requests by HTTP/2", float64(a.protocols["HTTP/2.0"]), "", ""},
		{name + ": on their way at most", float64(a.peak), "", fmt.Sprint("≤ ", bound.Concurrency)},
		{name + ": in a second at most", float64(a.PeakPerSecond()), "", fmt.Sprint("≤ ", bound.Rate)},
	}
	if !bare {
		return figures, took, nil
	}
	bareTook, err := b.readBare(huge(sweptWorkers), secure, bound)
	return append(figures,
		figure{name + ": time of the bare reader / least possible", bareTook.Seconds() / bound.Time(pages).Seconds(), "", ""},
		figure{name + ": time / the bare reader's", took.Seconds() / bareTook.Seconds(), "", ""},
	), took, err
}

// readBare returns how long the bare reader takes, which knows no rate.
func (b *bench) readBare(e estate, secure bool, bound limit.API) (time.Duration, error) {
	a, err := serve(e.simulator(), secure, bound.Latency)
	if err != nil {
		return 0, err
	}
	defer a.close()
	cmd := exec.Command(b.bare, "-api", a.server.URL, "-key", simulator.DemoAccessKeyID, "-secret", simulator.DemoAccessKeySecret,
		"-pages", fmt.Sprint(bound.Pages(e.workers)), "-concurrency", fmt.Sprint(bound.Concurrency))
	cmd.Env = []string{"SSL_CERT_FILE=" + a.ca}
	if text, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("bare: %w\n%s", err, text)
	}
	return a.took(), nil
}

// moving returns an account of finished jobs, and some that move.
func moving(jobs, active int) *simulator.Simulator {
	sim := finished(jobs).simulator()
	e := finished(active)
	e.status = "processing"
	e.put(sim, int64(jobs)+1)
	return sim
}

// discovery counts the calls of the first read, which takes several intervals of five
// seconds, and of an idle round.
func discovery(b *bench) ([]figure, error) {
	first, idle, err := b.rounds(moving(1000, 5))
	if err != nil {
		return nil, err
	}
	a, err := serve(moving(1000, 5), false, 0)
	if err != nil {
		return nil, err
	}
	defer a.close()
	p, err := b.startNaive(a, "-interval", "1h")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err = p.await("naive_polls_total", 1); err != nil {
		return nil, err
	}
	naive := a.Calls()
	all := float64(naive["ListDeploymentJob"] + naive["ListWorkerResource"])
	return []figure{
		{"until everything was read once: calls of ListWorkerResource", first["ListWorkerResource"], "", ""},
		{"idle round: calls of ListDeploymentJob", idle["ListDeploymentJob"], "", "21"},
		{"idle round: calls of ListWorkerResource", idle["ListWorkerResource"], "", "15"},
		{"idle round: other calls", idle["DescribeDeploymentJob"] + idle["DescribeDeploymentJobStatus"] + idle["ListDeploymentJobCert"], "", ""},
		{"idle round: all calls", sum(idle), "", ""},
		{"naive, each poll: all calls", all, "", ""},
		{"naive / exporter, all calls", all / sum(idle), "", ""},
	}, nil
}

// rounds runs the exporter on an account and returns the calls of its first read and
// of one of five later rounds, by action.
func (b *bench) rounds(sim *simulator.Simulator) (first, idle map[string]float64, err error) {
	const later = 5
	a, err := serve(sim, false, 0)
	if err != nil {
		return nil, nil, err
	}
	defer a.close()
	p, err := b.startExporter(a, "CAS_POLL_INTERVAL=5s", "CAS_MAX_STALENESS=2h", "CAS_RESYNC_INTERVAL=24h", "CAS_DISCOVERY_MAX_AGE=0")
	if err != nil {
		return nil, nil, err
	}
	defer p.stop()
	if err = p.settle(len(sim.Jobs())); err != nil {
		return nil, nil, err
	}
	first = counted(a)
	a.ResetStats()
	listings := float64(limit.API{PageSize: 50}.Pages(len(sim.Jobs())))
	for counted(a)["ListDeploymentJob"] < later*listings {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(2 * time.Second) // until the rest of that round has been asked for
	idle = counted(a)
	for action := range idle {
		idle[action] /= later
	}
	return first, idle, nil
}

func counted(a *api) map[string]float64 {
	calls := map[string]float64{}
	for action, n := range a.Calls() {
		calls[action] = float64(n)
	}
	return calls
}

func sum(calls map[string]float64) float64 {
	total := 0.0
	for _, n := range calls {
		total += n
	}
	return total
}
