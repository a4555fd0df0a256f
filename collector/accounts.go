package collector

import (
	"time"

	"aliyun_cas_exporter/internal/cas"
)

// accountFamily is a family of gauges about an account. Every sample carries the
// label account, then those named here.
type accountFamily struct {
	description
	samples func(s *scrape, e *exposition)
}

// scrape is what the samples of an account are made from: few, and made at each
// scrape, because some depend on the moment.
type scrape struct {
	*Poller
	account
	views []*View
	now   time.Time
}

// accountFamilies returns all families about accounts.
func accountFamilies() []accountFamily {
	return []accountFamily{
		{description{"deployment_jobs", "Deployment jobs that are watched.", nil}, func(s *scrape, e *exposition) {
			e.emit(float64(len(s.views)))
		}},
		{description{"discovery_up", "Whether the last listing of the account's jobs (ListDeploymentJob) succeeded; absent without discovery.", nil}, func(s *scrape, e *exposition) {
			if s.options.Discovery != nil {
				e.emit(truth(s.account.discovery.up))
			}
		}},
		{description{"deployment_quota_bought", "BuyCount of DescribeDeploymentJobStatus: deployments that the account bought.", nil}, func(s *scrape, e *exposition) {
			s.quota(func(c cas.JobCounts) int64 { return c.QuotaBought }, e)
		}},
		{description{"deployment_quota_used", "UseCount of DescribeDeploymentJobStatus: bought deployments that the account used.", nil}, func(s *scrape, e *exposition) {
			s.quota(func(c cas.JobCounts) int64 { return c.QuotaUsed }, e)
		}},
		{description{"poll_duration_seconds", "Time that the last poll cycle took; absent before its end.", nil}, func(s *scrape, e *exposition) {
			if s.polled {
				e.emit(s.took.Seconds())
			}
		}},
		{description{"poll_last_timestamp_seconds", "End of the last poll cycle, whatever its outcome; absent before it.", nil}, func(s *scrape, e *exposition) {
			e.instant(s.last)
		}},
		{description{"poll_interval_seconds", "Configured time between the starts of two poll cycles.", nil}, func(s *scrape, e *exposition) {
			e.emit(s.options.PollInterval.Seconds())
		}},
		{description{"poll_api_requests", "API requests of the last poll cycle.", []string{"action"}}, func(s *scrape, e *exposition) {
			byAction(s.requests, e)
		}},
		{description{"poll_expected_api_requests", "API requests that a poll cycle needs in the long run, resyncs spread over their interval.", []string{"action"}}, func(s *scrape, e *exposition) {
			byAction(s.expected, e)
		}},
		{description{"api_rate_limit_requests_per_second", "Configured limit of API requests, of this process.", nil}, func(s *scrape, e *exposition) {
			e.emit(s.options.RateLimit)
		}},
		{description{"account_info", "Number of a configured account; the value is 1.", []string{"account_id"}}, func(s *scrape, e *exposition) {
			if s.options.AccountID != "" {
				e.emit(1, s.options.AccountID)
			}
		}},
	}
}

// quota emits one of the account's counts. They come with the counts of any job,
// and those are read again at least once in a resync interval.
func (s *scrape) quota(of func(cas.JobCounts) int64, e *exposition) {
	q := s.latest.Load()
	if q != nil && of(q.value) >= 0 && s.now.Sub(q.read) <= s.options.ResyncInterval+s.options.MaxStaleness {
		e.emit(float64(of(q.value)))
	}
}

func byAction(requests map[string]float64, e *exposition) {
	for _, action := range actions() {
		if n, ok := requests[action]; ok {
			e.emit(n, action)
		}
	}
}
