package sweep

import (
	"cmp"
	"container/heap"
	"slices"
	"strconv"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// groupKey is what workers are counted by.
type groupKey struct{ product, region, status string }

// tally collects the rows of one read.
type tally struct {
	maxGroups int // more are not kept: the read fails
	maxFailed int // failed workers to keep
	pages     int
	workers   int
	groups    map[groupKey]*Group
	tooMany   bool // groups
	failed    newestFirst
	omitted   int

	counted *idSet  // workers that another read of the same sweep counted; nil: it is the only one
	ids     []int64 // workers of this read, if it is not the only one
}

func newTally(o *Options, counted *idSet) *tally {
	return &tally{maxGroups: o.MaxGroups, maxFailed: o.MaxFailed, groups: map[groupKey]*Group{}, counted: counted}
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
	t.merge(groupKey{w.CloudProduct, w.RegionID, w.Status}, 1, w.Modified)
	if w.Failed() {
		t.keep(w)
	}
}

func (t *tally) merge(key groupKey, workers int, oldest time.Time) {
	g, ok := t.groups[key]
	if !ok {
		if len(t.groups) >= t.maxGroups {
			t.tooMany = true
			return
		}
		g = &Group{CloudProduct: key.product, RegionID: key.region, Status: key.status}
		t.groups[key] = g
	}
	g.Workers += workers
	if !oldest.IsZero() && (g.Oldest.IsZero() || oldest.Before(g.Oldest)) {
		g.Oldest = oldest
	}
}

// keep keeps a failed worker if it is among the oldest.
func (t *tally) keep(w *cas.Worker) {
	if w.Modified.IsZero() || t.maxFailed == 0 {
		t.omitted++
		return
	}
	heap.Push(&t.failed, *w)
	if t.failed.Len() > t.maxFailed {
		heap.Pop(&t.failed)
		t.omitted++
	}
}

// join adds what another complete read saw of the same job.
func (t *tally) join(other *tally) {
	t.pages += other.pages
	t.workers += other.workers
	t.omitted += other.omitted
	t.tooMany = t.tooMany || other.tooMany
	for key, g := range other.groups {
		t.merge(key, g.Workers, g.Oldest)
	}
	for i := range other.failed {
		t.keep(&other.failed[i])
	}
}

// snapshot ends the tally.
func (t *tally) snapshot() (*Snapshot, error) {
	if t.tooMany {
		return nil, reason.Errorf(reason.Limit, "more than %d groups of product, region and status", t.maxGroups)
	}
	s := &Snapshot{Pages: t.pages, Workers: t.workers, Omitted: t.omitted, Groups: make([]Group, 0, len(t.groups))}
	for _, g := range t.groups {
		s.Groups = append(s.Groups, *g)
	}
	slices.SortFunc(s.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.CloudProduct, b.CloudProduct), cmp.Compare(a.RegionID, b.RegionID), cmp.Compare(a.Status, b.Status))
	})
	slices.SortFunc(t.failed, compareAge)
	for i := range t.failed {
		w := &t.failed[i]
		s.Failed = append(s.Failed, Failed{
			WorkerID: strconv.FormatInt(w.ID, 10), CloudProduct: w.CloudProduct, RegionID: w.RegionID, Status: w.Status,
			InstanceID: w.InstanceID, ListenerID: w.ListenerID, Port: w.Port, ResourceDomain: w.ResourceDomain, CertName: w.CertName,
			Modified: w.Modified,
		})
	}
	return s, nil
}

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
