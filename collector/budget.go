package collector

import "math"

// expect returns how many requests a cycle needs in the long run, by action:
// the listing, the pages of every job that moves, and, spread over the resync
// interval, those of the finished jobs and every job's counts.
func (p *Poller) expect() map[string]float64 {
	// A resync is due after nine tenths of its interval in the mean.
	perCycle := min(1, float64(p.options.PollInterval)/(0.9*float64(p.options.ResyncInterval)))
	var described, pages, counted float64
	for _, j := range *p.jobs.Load() {
		v := j.view.Load()
		if p.options.Discovery == nil && j.configured {
			described++
		}
		n := float64(len(filters(p.options.Statuses, p.options.Products)))
		if v.snapshot != nil {
			n = float64(v.snapshot.pages)
		}
		if v.record.known() && v.record.value.Finished() {
			n *= perCycle
		}
		pages += n
		counted += perCycle
	}
	return map[string]float64{
		"ListDeploymentJob":     float64(p.discovery.pages),
		"DescribeDeploymentJob": described,
		"ListWorkerResource":    pages,

		"DescribeDeploymentJobStatus": counted,
	}
}

// logBudget says what the polling costs when that changed by a quarter or crossed
// what the rate limit allows in the time that a cycle works, and warns when it is
// more.
func (p *Poller) logBudget(expected map[string]float64) {
	var perCycle float64
	for _, n := range expected {
		perCycle += n
	}
	allowed := p.options.RateLimit * p.working().Seconds()
	crossed := perCycle > allowed != (p.budgeted > allowed)
	if perCycle == 0 || !crossed && math.Abs(perCycle-p.budgeted) < p.budgeted/4 {
		return
	}
	p.budgeted = perCycle
	args := []any{
		"jobs", len(*p.jobs.Load()), "requests_per_cycle", math.Ceil(perCycle),
		"requests_per_hour", math.Ceil(perCycle / p.options.PollInterval.Hours()),
		"allowed_per_cycle", math.Floor(allowed),
	}
	if perCycle > allowed {
		p.options.Logger.Warn("the watched jobs cannot be read within the poll interval at the configured rate", args...)
		return
	}
	p.options.Logger.Info("expected use of the api", args...)
}
