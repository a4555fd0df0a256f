package collector

import (
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// accountFamily is a family of gauges about an account. Every sample carries the
// label account, then those named here.
type accountFamily struct {
	description
	samples func(s *scrape, e *exposition)
}

// accountFamilies returns all families about accounts.
func accountFamilies() []accountFamily {
	return []accountFamily{
		{description{"deployment_jobs", "Deployment jobs that are watched.", nil}, func(s *scrape, e *exposition) {
			e.emit(float64(len(s.views)))
		}},
		{description{"discovery_up", "Whether the last listing of the account's jobs (ListDeploymentJob) succeeded; absent without discovery.", nil}, func(s *scrape, e *exposition) {
			if s.Discovery != nil {
				e.emit(truth(s.listing.Up))
			}
		}},
		{description{"deployment_quota_bought", "BuyCount of DescribeDeploymentJobStatus: deployments that the account bought.", nil}, func(s *scrape, e *exposition) {
			s.quota(func(c *cas.JobCounts) int64 { return c.QuotaBought }, e)
		}},
		{description{"deployment_quota_used", "UseCount of DescribeDeploymentJobStatus: bought deployments that the account used.", nil}, func(s *scrape, e *exposition) {
			s.quota(func(c *cas.JobCounts) int64 { return c.QuotaUsed }, e)
		}},
		{description{"poll_duration_seconds", "Time that the last round of polls took; absent before the first one ended.", nil}, func(s *scrape, e *exposition) {
			if !s.round.Ended.IsZero() {
				e.emit(s.round.Took.Seconds())
			}
		}},
		{description{"poll_last_timestamp_seconds", "When the last round of polls ended, whatever its outcome; absent before the first one.", nil}, func(s *scrape, e *exposition) {
			e.instant(s.round.Ended)
		}},
		{description{"poll_last_failures", "Polls of a job, and listings of jobs, that failed in the last round; absent before the first one ended.", []string{"reason"}}, func(s *scrape, e *exposition) {
			for _, r := range reason.All() {
				if !s.round.Ended.IsZero() {
					e.emit(float64(s.round.Failures[r]), string(r))
				}
			}
		}},
		{description{"poll_interval_seconds", "Configured time between two ticks, each of which begins a round of polls.", nil}, func(s *scrape, e *exposition) {
			e.emit(s.PollInterval.Seconds())
		}},
		{description{"poll_api_requests", "API requests of the last round of polls.", []string{"action"}}, func(s *scrape, e *exposition) {
			byAction(s.round.Requests, e)
		}},
		{description{"poll_expected_api_requests", "Estimated steady-state API requests per poll interval.", []string{"action"}}, func(s *scrape, e *exposition) {
			byAction(s.expected, e)
		}},
		{description{"api_rate_limit_requests_per_second", "Configured rate limit of the API requests of this process.", nil}, func(s *scrape, e *exposition) {
			e.emit(s.RateLimit)
		}},
		{description{"probe_targets", "Hosts at /probe-targets, to which workers in success deployed a certificate, as of the last complete sweeps; absent when CAS_PROBE_TARGETS_PER_JOB is 0.", nil}, probeTargets},
		{description{"probe_targets_omitted", "Workers in success without a host at /probe-targets (ResourceDomain of ListWorkerResource), as of the last complete sweeps; absent when CAS_PROBE_TARGETS_PER_JOB is 0.", []string{"reason"}}, probeTargetsOmitted},
		{description{"account_info", "Numeric id of a configured account; the value is 1.", []string{"account_id"}}, func(s *scrape, e *exposition) {
			if s.AccountID != "" {
				e.emit(1, s.AccountID)
			}
		}},
	}
}

// quota emits one of the account's counts.
func (s *scrape) quota(of func(*cas.JobCounts) int64, e *exposition) {
	if q := s.counts; q != nil && of(q) >= 0 {
		e.emit(float64(of(q)))
	}
}

func byAction(requests map[string]float64, e *exposition) {
	for _, action := range actions() {
		if n, ok := requests[action]; ok {
			e.emit(n, action)
		}
	}
}

func probeTargets(s *scrape, e *exposition) {
	if s.ShowsHosts() {
		e.countHosts()
		e.emit(float64(s.hosts.shown))
	}
}

func probeTargetsOmitted(s *scrape, e *exposition) {
	if s.ShowsHosts() {
		e.countHosts()
		e.emit(float64(s.hosts.ambiguous), "ambiguous")
		e.emit(float64(s.hosts.invalid), "invalid")
		e.emit(float64(s.hosts.limit), "limit")
		e.emit(float64(s.hosts.wildcard), "wildcard")
	}
}
