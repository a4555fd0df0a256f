package schedule

import (
	"cmp"
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

// take replaces what is known of a job by what latest returns; nil means nothing. It calls
// latest under the lock, so of two takes the later one has the newer snapshot.
func (t *targets) take(job int64, latest func() *sweep.Snapshot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(job, latest())
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

// put replaces what is known of a job, nil: nothing. The caller holds mu.
func (t *targets) put(job int64, s *sweep.Snapshot) {
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
	lost := t.lose(job)
	see(job, s, t.failed)
	for resource, target := range lost {
		if target.latest == 0 {
			unknown[resource] = target
		}
	}
	t.lookUp(unknown)
}

// lose finds the targets whose largest job in success is this one, forgets that job there,
// and returns them.
func (t *targets) lose(job int64) map[cas.ResourceKey]*target {
	lost := map[cas.ResourceKey]*target{}
	for resource, target := range t.failed {
		if target.latest == job {
			lost[resource], target.latest = target, 0
		}
	}
	return lost
}

// lookUp finds, for each unknown target, the largest job that has it in success.
func (t *targets) lookUp(unknown map[cas.ResourceKey]*target) {
	if len(unknown) == 0 {
		return
	}
	var some [1 << 10]uint64 // a bit for each: most resources need not be looked for in the map
	for resource := range unknown {
		some[resource>>6%1024] |= 1 << (resource % 64)
	}
	for job, s := range t.by {
		for resource := range s.Succeeded.All {
			if some[resource>>6%1024]&(1<<(resource%64)) == 0 {
				continue
			}
			if target := unknown[resource]; target != nil {
				target.latest = max(target.latest, job)
			}
		}
	}
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
func see(job int64, s *sweep.Snapshot, failed map[cas.ResourceKey]*target) {
	if s == nil || len(failed) == 0 {
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
	var unknown map[cas.ResourceKey]*target // of a view that was replaced meanwhile
	for _, failure := range failures {
		if t.failed[failure.Resource] == nil {
			if unknown == nil {
				unknown = map[cas.ResourceKey]*target{}
			}
			unknown[failure.Resource] = &target{}
		}
	}
	t.lookUp(unknown)
	for _, failure := range failures {
		known := cmp.Or(t.failed[failure.Resource], unknown[failure.Resource])
		if known.latest > job {
			n++
		}
	}
	return n
}
