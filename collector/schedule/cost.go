package schedule

import (
	"log/slog"
	"math"
	"time"
)

// cost is the expected cost of polling an account.
type cost struct {
	*Options
	logged float64 // requests per interval
}

// expect returns how many requests an interval needs in the long run, by action:
// the listing, the pages of every job that moves, and, spread over the resync
// interval, those of the finished jobs and every job's counts.
func (c *cost) expect(jobs []*job, listingPages int) map[string]float64 {
	// A resync is due after nine tenths of its interval in the mean.
	perInterval := min(1, float64(c.PollInterval)/(0.9*float64(c.ResyncInterval)))
	var described, pages, counted float64
	o := c.sweep(time.Time{})
	for _, j := range jobs {
		v := j.view.Load()
		if c.Discovery == nil && j.configured {
			described++
		}
		n := float64(o.Reads())
		if v.Snapshot != nil {
			n = float64(v.Snapshot.Pages)
		}
		if v.Record.Known() && v.Record.Value.Finished() {
			n *= perInterval
		}
		pages += n
		counted += perInterval
	}
	return map[string]float64{
		"ListDeploymentJob":     float64(listingPages),
		"DescribeDeploymentJob": described,
		"ListWorkerResource":    pages,

		"DescribeDeploymentJobStatus": counted,
	}
}

// logRun logs the cost of the only round.
func (c *cost) logRun(log *slog.Logger, r Round, jobs int) {
	if !c.Once {
		return
	}
	var requests float64
	for _, n := range r.Requests {
		requests += n
	}
	log.Info("use of the api by this run", "jobs", jobs, "requests", requests, "duration_seconds", r.Took.Seconds())
}

// log logs the expected cost if it changed by a quarter, or crossed the rate limit. It
// warns if it is above the limit.
func (c *cost) log(log *slog.Logger, expected map[string]float64, jobs int) {
	var needed float64
	for _, n := range expected {
		needed += n
	}
	allowed := c.RateLimit * c.PollInterval.Seconds()
	crossed := needed > allowed != (c.logged > allowed)
	if c.Once || needed == 0 || !crossed && math.Abs(needed-c.logged) < c.logged/4 {
		return
	}
	c.logged = needed
	args := []any{
		"jobs", jobs, "requests_per_interval", math.Ceil(needed),
		"requests_per_hour", math.Ceil(needed * float64(time.Hour) / float64(c.PollInterval)),
		"allowed_per_interval", math.Floor(allowed),
	}
	if needed > allowed {
		log.Warn("the watched jobs cannot be read within the poll interval at the configured rate", args...)
		return
	}
	log.Info("expected use of the api", args...)
}
