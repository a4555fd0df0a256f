package schedule

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// published is what readers see of an account. Its exported methods are safe for
// concurrent use with everything.
type published struct {
	jobs     atomic.Pointer[[]*job] // by id
	listing  atomic.Pointer[Listing]
	round    atomic.Pointer[Round]
	expected atomic.Pointer[map[string]float64]
}

// publish begins with these jobs and nothing else.
func (p *published) publish(jobs []*job) {
	p.watch(jobs)
	p.listing.Store(&Listing{})
	p.round.Store(&Round{})
	p.expected.Store(&map[string]float64{})
}

// watch publishes the list of watched jobs.
func (p *published) watch(jobs []*job) {
	slices.SortFunc(jobs, func(x, y *job) int { return cmp.Compare(x.id, y.id) })
	p.jobs.Store(&jobs)
}

// Views appends the view of every watched job to views.
func (p *published) Views(views []*View) []*View {
	jobs := *p.jobs.Load()
	views = slices.Grow(views, len(jobs))
	for _, j := range jobs {
		views = append(views, j.view.Load())
	}
	return views
}

// Listing returns the outcome of the last listing.
func (p *published) Listing() Listing { return *p.listing.Load() }

// Round returns the last round that ended.
func (p *published) Round() Round { return *p.round.Load() }

// Expected returns how many requests an interval needs in the long run, by action.
// The map must not be written.
func (p *published) Expected() map[string]float64 { return *p.expected.Load() }
