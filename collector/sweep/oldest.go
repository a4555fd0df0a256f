package sweep

import (
	"cmp"
	"container/heap"
	"slices"
	"strconv"

	"aliyun_cas_exporter/internal/cas"
)

// oldest keeps the workers that did not change for longest, and counts the others.
type oldest struct {
	kept    newestFirst
	omitted int
}

// keep keeps a worker if it is among the oldest, of which there are at most so many. One
// without a time is not kept.
func (o *oldest) keep(w *cas.Worker, most int) {
	if w.Modified.IsZero() || most == 0 || o.kept.Len() == most && compareAge(*w, o.kept[0]) > 0 {
		o.omitted++
		return
	}
	heap.Push(&o.kept, *w)
	if o.kept.Len() > most {
		heap.Pop(&o.kept)
		o.omitted++
	}
}

func (o *oldest) join(other *oldest, most int) {
	o.omitted += other.omitted
	for i := range other.kept {
		o.keep(&other.kept[i], most)
	}
}

// sorted returns the kept workers, oldest first.
func (o *oldest) sorted() (workers []Worker) {
	slices.SortFunc(o.kept, compareAge)
	for i := range o.kept {
		w := &o.kept[i]
		workers = append(workers, Worker{
			WorkerID: strconv.FormatInt(w.ID, 10), CloudProduct: w.CloudProduct, RegionID: w.RegionID, Status: w.Status,
			InstanceID: w.InstanceID, ListenerID: w.ListenerID, Port: w.Port, ResourceDomain: w.ResourceDomain, CertName: w.CertName,
			Modified: w.Modified,
		})
	}
	return workers
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
