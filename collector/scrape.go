package collector

import (
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/internal/cas"
)

// shown is an account with its families' heads.
type shown struct {
	*schedule.Account
	table *table
}

// scrape is what the samples of an account are made from: few, and made at each
// scrape, because some depend on the moment.
type scrape struct {
	*schedule.Account
	table *table

	round    schedule.Round
	expected map[string]float64
	listing  schedule.Listing
	counts   *cas.JobCounts // with the account's quota; nil if it is not known
	views    []*schedule.View
	hosts    hostCounts
	now      time.Time
}

// hostCounts are how many hosts of an account can be probed, and how many workers in success
// have no such host, by why.
type hostCounts struct{ shown, wildcard, invalid, ambiguous, limit int }
