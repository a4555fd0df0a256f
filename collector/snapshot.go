package collector

import (
	"cmp"
	"container/heap"
	"slices"
	"strconv"
	"time"

	"aliyun_cas_exporter/internal/cas"
)

// groupKey is what workers are counted by.
type groupKey struct{ product, region, status string }

// group counts the workers of one status in one product and region.
type group struct {
	groupKey
	count  int
	oldest time.Time // smallest modification time, zero if none is readable
}

// detail is one thing with a time, and its labels as its family names them.
type detail struct {
	at     time.Time
	labels []string
}

// Snapshot is what one complete sweep of a job saw. It is never written after
// it is published.
type Snapshot struct {
	swept    time.Time // when the last page had arrived
	pages    int       // that it took
	workers  int       // distinct workers
	groups   []group   // by product, region, status; see fill
	statuses []string  // that every product and region shows
	failed   []detail  // the oldest failed workers, oldest first
	omitted  int       // failed workers that are not in failed

	filtered bool // only some workers were read, so that workers is not the job's number
}

// tally collects the rows of one read.
type tally struct {
	limit   int // failed workers to keep
	pages   int
	workers int
	groups  map[groupKey]*group
	failed  newestFirst
	omitted int

	counted *idSet  // workers that another read of the same sweep counted; nil: it is the only one
	ids     []int64 // workers of this read, if it is not the only one
}

func newTally(limit int) *tally {
	return &tally{limit: limit, groups: map[groupKey]*group{}}
}

// add counts a worker, which must be a distinct one of this read.
func (t *tally) add(w *cas.Worker) {
	if t.counted != nil {
		if t.counted.has(w.ID) {
			return
		}
		t.ids = append(t.ids, w.ID)
	}
	t.workers++
	t.group(groupKey{w.CloudProduct, w.RegionID, w.Status}).merge(1, w.Modified)
	if w.Failed() {
		t.keep(w)
	}
}

func (t *tally) group(key groupKey) *group {
	g, ok := t.groups[key]
	if !ok {
		g = &group{groupKey: key}
		t.groups[key] = g
	}
	return g
}

func (g *group) merge(count int, oldest time.Time) {
	g.count += count
	if !oldest.IsZero() && (g.oldest.IsZero() || oldest.Before(g.oldest)) {
		g.oldest = oldest
	}
}

// keep keeps a failed worker if it is among the oldest.
func (t *tally) keep(w *cas.Worker) {
	if w.Modified.IsZero() || t.limit == 0 {
		t.omitted++
		return
	}
	heap.Push(&t.failed, *w)
	if t.failed.Len() > t.limit {
		heap.Pop(&t.failed)
		t.omitted++
	}
}

// join adds what another complete read saw of the same job.
func (t *tally) join(other *tally) {
	t.pages += other.pages
	t.workers += other.workers
	t.omitted += other.omitted
	for key, g := range other.groups {
		t.group(key).merge(g.count, g.oldest)
	}
	for i := range other.failed {
		t.keep(&other.failed[i])
	}
}

// snapshot ends the tally.
func (t *tally) snapshot(now time.Time, statuses []string) *Snapshot {
	s := &Snapshot{
		swept: now, pages: t.pages, workers: t.workers, omitted: t.omitted,
		groups: make([]group, 0, len(t.groups)), statuses: statuses,
	}
	for _, g := range t.groups {
		s.groups = append(s.groups, *g)
	}
	slices.SortFunc(s.groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.product, b.product), cmp.Compare(a.region, b.region), cmp.Compare(a.status, b.status))
	})
	slices.SortFunc(t.failed, compareAge)
	for i := range t.failed {
		w := &t.failed[i]
		s.failed = append(s.failed, detail{w.Modified, []string{
			strconv.FormatInt(w.ID, 10), w.CloudProduct, w.RegionID, w.Status,
			w.InstanceID, w.ListenerID, w.Port, w.ResourceDomain, w.CertName,
		}})
	}
	return s
}

// fill calls f for every group, and for those with no workers that complete the
// statuses of a product and region. Those are not kept: most would be zeros.
func (s *Snapshot) fill(f func(group)) {
	for rest := s.groups; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].product == rest[0].product && rest[n].region == rest[0].region {
			n++
		}
		for _, g := range rest[:n] {
			f(g)
		}
		for _, status := range s.statuses {
			if !slices.ContainsFunc(rest[:n], func(g group) bool { return g.status == status }) {
				f(group{groupKey: groupKey{rest[0].product, rest[0].region, status}})
			}
		}
		rest = rest[n:]
	}
}

// trouble reports whether a worker failed.
func (s *Snapshot) trouble() bool { return len(s.failed) > 0 || s.omitted > 0 }

// compareAge orders the oldest first; ids make the order the same at each sweep.
func compareAge(a, b cas.Worker) int {
	return cmp.Or(a.Modified.Compare(b.Modified), cmp.Compare(a.ID, b.ID))
}

// newestFirst is a heap whose top is the first to go when there are too many.
type newestFirst []cas.Worker

func (h newestFirst) Len() int           { return len(h) }
func (h newestFirst) Less(i, j int) bool { return compareAge(h[i], h[j]) > 0 }
func (h newestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *newestFirst) Push(w any)        { *h = append(*h, w.(cas.Worker)) } //nolint:forcetypeassert // only keep pushes
func (h *newestFirst) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	*h = (*h)[:last]
	return w
}
