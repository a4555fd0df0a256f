package sweep

import (
	"slices"
	"time"

	"aliyun_cas_exporter/internal/cas"
)

// Options say how a job is read. Every field but the filters is required.
type Options struct {
	Statuses, Products []string // filters; only these are read, all if empty

	PageSize    int                           // rows asked for
	Concurrency int                           // pages on their way at once
	Timeout     func(pages int) time.Duration // of a read of so many pages
	MaxWorkers  int                           // of a job; more fail as reason.Limit
	MaxGroups   int                           // (product, region, status) of a job; more fail as reason.Limit
	MaxNamed    int                           // failed workers of a job in Snapshot.Failed, and stuck ones in Snapshot.Stuck; 0: none
	MaxHosts    int                           // in Snapshot.Hosts; 0: they are not read
	ZeroFill    bool                          // Snapshot.AllGroups has groups without workers
	StuckBefore time.Time                     // workers that move are stuck if they last changed before this
}

// reads reports whether workers in this status are among those that are read.
func (o *Options) reads(status string) bool {
	return len(o.Statuses) == 0 || slices.Contains(o.Statuses, status)
}

// readsMoving reports whether workers that move are among those that are read.
func (o *Options) readsMoving() bool {
	return slices.ContainsFunc(cas.WorkerStatuses(), func(status string) bool {
		w := cas.Worker{Status: status}
		return w.Moves() && o.reads(status)
	})
}

// Reads returns of how many listings a sweep consists: the API takes one status and
// one product a call.
func (o *Options) Reads() int { return max(1, len(o.Statuses)) * max(1, len(o.Products)) }
