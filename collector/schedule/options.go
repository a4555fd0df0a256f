package schedule

import (
	"cmp"
	"context"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// API reads one account; cas.Client implements it.
type API interface {
	sweep.API
	ListJobs(ctx context.Context, q cas.JobQuery, spare []cas.Job) (cas.JobPage, error)
	DescribeJob(ctx context.Context, id int64) (cas.Job, error)
	CountJob(ctx context.Context, id int64) (cas.JobCounts, error)
	ListCertificates(ctx context.Context, id int64) ([]cas.Certificate, error)
	// Tick says that another interval begins, so that what fails is tried again.
	Tick()
}

// Observer learns what an Account does. Its methods are called concurrently and
// must not block.
type Observer interface {
	// PollFailed reports a poll of a job, or a listing, that failed.
	PollFailed(r reason.Reason)
	// TicksSkipped reports ticks at which jobs of the one before still waited.
	TicksSkipped(n int)
	// RequestsByAction returns the HTTP requests so far.
	RequestsByAction() map[string]float64
}

// Options configure an Account. What is not marked optional is required.
type Options struct {
	// Name names the account in labels; empty for the one unnamed account.
	Name string
	// Region is the API's, for the label api_region; empty where there is one.
	Region string
	// AccountID is the account's number, empty if it is not known.
	AccountID string
	API       API
	Observer  Observer
	Logger    *slog.Logger

	// JobIDs are watched whatever discovery finds.
	JobIDs []int64
	// Discovery, if not nil, adds the jobs that the account lists.
	Discovery *Discovery
	// Statuses and Products are filters: if not empty, only these workers are read.
	Statuses, Products []string
	// Shard of TotalShards is the part of the jobs to watch; TotalShards is at
	// least 1.
	Shard, TotalShards int

	// Once means that there is one poll only: its cost is logged, not that of an interval.
	Once bool

	PollInterval   time.Duration // between two ticks
	ResyncInterval time.Duration // after which a finished job is read again
	MaxStaleness   time.Duration // after which unconfirmed data disappears
	RateLimit      float64       // requests per second, as the API client keeps it
	PageSize       int           // rows asked for
	Concurrency    int           // pages of a listing on their way at once
	MaxJobs        int           // of a listing; more fail as reason.Limit
	MaxWorkers     int           // of one job; more fail as reason.Limit
	MaxGroups      int           // (product, region, status) of one job; more fail as reason.Limit
	MaxNamed       int           // failed workers of a job, and stuck ones, with a series each
	MaxHosts       int           // of a job's workers in success, at which somebody may look; 0: none
	ZeroFill       bool          // groups without workers are shown as 0
	StuckAfter     time.Duration // after which a worker that should move and does not is stuck
}

// Discovery narrows the listing of an account's jobs. The zero value takes all.
type Discovery struct {
	// MaxAge drops finished jobs that were not modified for this long; 0: never.
	MaxAge time.Duration
	// JobTypes and Statuses are filters: if not empty, only these jobs are listed.
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

// ShowsHosts reports whether it is known where workers in success deployed to.
func (o *Options) ShowsHosts() bool {
	return o.MaxHosts > 0 && (len(o.Statuses) == 0 || slices.Contains(o.Statuses, cas.StatusSuccess))
}

// workers is how many jobs are polled at once. The client bounds requests in flight,
// so that a few long sweeps leave room for the others.
func (o *Options) workers() int { return 2 * o.Concurrency }

// timeout bounds a read of so many pages: three times its expected duration beside
// as many jobs as are polled at once, but at least half of MaxStaleness.
func (o *Options) timeout(pages int) time.Duration {
	seconds := 3 * float64(pages) * float64(o.workers()) / o.RateLimit
	return max(o.MaxStaleness/2, time.Duration(min(seconds, (24*time.Hour).Seconds())*float64(time.Second)))
}

func (o *Options) sweep(now time.Time) sweep.Options {
	return sweep.Options{
		Statuses: inOrder(o.Statuses, cas.WorkerStatuses()), // a worker that moves on meanwhile is met
		Products: o.Products,
		PageSize: o.PageSize, Concurrency: o.Concurrency, Timeout: o.timeout,
		MaxWorkers: o.MaxWorkers, MaxGroups: o.MaxGroups,
		ZeroFill: o.ZeroFill, MaxNamed: o.MaxNamed, MaxHosts: o.MaxHosts, StuckBefore: now.Add(-o.StuckAfter),
	}
}

// inOrder returns words in the order in which all has them.
func inOrder(words, all []string) []string {
	words = slices.Clone(words)
	slices.SortFunc(words, func(a, b string) int {
		return cmp.Compare(slices.Index(all, a), slices.Index(all, b))
	})
	return words
}
