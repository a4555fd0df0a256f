package collector

import (
	"log/slog"
	"regexp"
	"time"

	"aliyun_cas_exporter/internal/cas"
)

// Options configure a Poller. What is not marked optional is required.
type Options struct {
	// Account names the account in labels; empty for the one unnamed account.
	Account string
	// AccountID is the account's number, empty if it is not known.
	AccountID string
	API       *cas.Client
	Metrics   *Metrics
	Logger    *slog.Logger

	// JobIDs are watched whatever discovery finds.
	JobIDs []int64
	// Discovery, if not nil, adds the jobs that the account lists.
	Discovery *Discovery
	// Statuses and Products, if not empty, are the only ones to be read.
	Statuses, Products []string
	// Shard of TotalShards is the share of the jobs to watch; TotalShards is at
	// least 1.
	Shard, TotalShards int

	PollInterval   time.Duration // between the starts of two cycles
	ResyncInterval time.Duration // after which a finished job is read again
	MaxStaleness   time.Duration // after which unconfirmed data disappears
	RateLimit      float64       // requests per second, as the API client keeps it
	PageSize       int           // rows asked for
	Concurrency    int           // pages and jobs read at once
	MaxWorkers     int           // of one job; more fail as reason.Limit
	FailedLimit    int           // failed workers of a job with a series each
}

// Discovery narrows the listing of an account's jobs. The zero value takes all.
type Discovery struct {
	// MaxAge drops finished jobs that were not modified for this long; 0: never.
	MaxAge time.Duration
	// JobTypes and Statuses, if not empty, are the only ones to be listed.
	JobTypes, Statuses []string
	// Name, if not nil, must match the job's name.
	Name *regexp.Regexp
}

// covers reports whether a listed job is to be watched.
func (d *Discovery) covers(job *cas.Job, now time.Time) bool {
	if d.MaxAge > 0 && job.Finished() && !job.Modified.IsZero() && now.Sub(job.Modified) > d.MaxAge {
		return false
	}
	return d.Name == nil || d.Name.MatchString(job.Name)
}
