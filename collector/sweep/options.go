package sweep

import "time"

// Options say how a job is read. Every field but the filters is required.
type Options struct {
	Statuses, Products []string // filters; only these are read, all if empty

	PageSize    int                           // rows asked for
	Concurrency int                           // pages on their way at once
	Timeout     func(pages int) time.Duration // of a read of so many pages
	MaxWorkers  int                           // of a job; more fail as reason.Limit
	MaxGroups   int                           // (product, region, status) of a job; more fail as reason.Limit
	MaxFailed   int                           // failed workers of a job in Snapshot.Failed; 0: none
}

// Reads returns of how many listings a sweep consists: the API takes one status and
// one product a call.
func (o *Options) Reads() int { return max(1, len(o.Statuses)) * max(1, len(o.Products)) }
