package schedule

import (
	"sync"

	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

// targets knows which failures are superseded: those of a worker whose target a worker
// of a later job, one with a larger id, has in success. It is safe for concurrent use.
//
// It holds the snapshots of the account's jobs, which hold a few bytes for each of their
// distinct targets in success, and an entry for each target of a failed worker. It is the
// same in whatever order jobs are read: a target that fails for the first time is looked
// up in all snapshots that there are.
type targets struct {
	mu     sync.Mutex
	by     map[int64]*sweep.Snapshot // by job
	failed map[cas.ResourceKey]*target
}

// target is one that some worker failed at.
type target struct {
	failures int   // workers
	latest   int64 // the largest id of a job that has it in success, 0: none
}

func newTargets() *targets {
	return &targets{by: map[int64]*sweep.Snapshot{}, failed: map[cas.ResourceKey]*target{}}
}

// put replaces what is known of a job, nil: nothing.
func (t *targets) put(job int64, s *sweep.Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.by[job]
	if before == s {
		return
	}
	if t.by[job] = s; s == nil {
		delete(t.by, job)
	}
	unknown := map[cas.ResourceKey]*target{}
	t.count(s, 1, unknown)
	t.count(before, -1, unknown)
	if s != nil {
		t.see(job, s, t.failed)
	}
	if before != nil {
		for resource, target := range t.failed {
			if target.latest == job && (s == nil || !s.Succeeded.Has(resource)) {
				unknown[resource], target.latest = target, 0
			}
		}
	}
	if len(unknown) > 0 {
		for other, snapshot := range t.by {
			t.see(other, snapshot, unknown)
		}
	}
}

// jobs returns the jobs of which anything is known.
func (t *targets) jobs() map[int64]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[int64]bool, len(t.by))
	for id := range t.by {
		all[id] = true
	}
	return all
}

// count adds n failures at each target of a snapshot. Targets that had none before are
// unknown.
func (t *targets) count(s *sweep.Snapshot, n int, unknown map[cas.ResourceKey]*target) {
	if s == nil {
		return
	}
	for _, failure := range s.Targets {
		known := t.failed[failure.Resource]
		if known == nil {
			known = &target{}
			t.failed[failure.Resource], unknown[failure.Resource] = known, known
		}
		if known.failures += n; known.failures == 0 {
			delete(t.failed, failure.Resource)
			delete(unknown, failure.Resource)
		}
	}
}

// see remembers which of some failed targets a job has in success.
func (t *targets) see(job int64, s *sweep.Snapshot, failed map[cas.ResourceKey]*target) {
	if len(failed) == 0 {
		return
	}
	for resource := range s.Succeeded.All {
		if target := failed[resource]; target != nil {
			target.latest = max(target.latest, job)
		}
	}
}

// superseded returns how many of a job's failures at some targets are superseded.
func (t *targets) superseded(job int64, failures []sweep.Target) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, failure := range failures {
		if known := t.failed[failure.Resource]; known != nil && known.latest > job {
			n++
		}
	}
	return n
}
