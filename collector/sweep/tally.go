package sweep

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// groupKey is what workers are counted by.
type groupKey struct{ product, region, status string }

func (k groupKey) compare(other groupKey) int {
	return cmp.Or(cmp.Compare(k.product, other.product), cmp.Compare(k.region, other.region), cmp.Compare(k.status, other.status))
}

// tally collects the rows of one read.
type tally struct {
	options *Options
	pages   int
	workers int
	groups  map[groupKey]*Group
	tooMany bool // groups

	failed, stuck oldest
	nextStuck     time.Time
	succeeded     []cas.ResourceKey
	targets       map[groupKey][]cas.ResourceKey // of failed workers
	hosts         hosts

	counted *idSet  // workers that another read of the same sweep counted; nil: it is the only one
	ids     []int64 // workers of this read, if it is not the only one
}

func newTally(o *Options, counted *idSet) *tally {
	return &tally{options: o, groups: map[groupKey]*Group{}, targets: map[groupKey][]cas.ResourceKey{}, hosts: newHosts(), counted: counted}
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
	key := groupKey{w.CloudProduct, w.RegionID, w.Status}
	t.merge(key, 1, w.Modified)
	switch {
	case w.Failed():
		t.failed.keep(w, t.options.MaxNamed)
		if w.Resource != 0 {
			t.targets[key] = append(t.targets[key], w.Resource)
		}
	case w.Status == cas.StatusSuccess:
		if w.Resource != 0 {
			t.succeeded = append(t.succeeded, w.Resource)
		}
		t.hosts.add(w, t.options.MaxHosts)
	case w.Moves() && w.Modified.Before(t.options.StuckBefore) && !w.Modified.IsZero():
		t.stuck.keep(w, t.options.MaxNamed)
	case w.Moves():
		t.nextStuck = Earlier(t.nextStuck, w.Modified)
	}
}

// Earlier returns the earlier of two times. A zero time means unknown, and loses to any other.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (t *tally) merge(key groupKey, workers int, oldest time.Time) {
	g, ok := t.groups[key]
	if !ok {
		if len(t.groups) >= t.options.MaxGroups {
			t.tooMany = true
			return
		}
		g = &Group{CloudProduct: key.product, RegionID: key.region, Status: key.status}
		t.groups[key] = g
	}
	g.Workers += workers
	g.Oldest = Earlier(g.Oldest, oldest)
}

// join adds what another complete read saw of the same job.
func (t *tally) join(other *tally) {
	t.pages += other.pages
	t.workers += other.workers
	t.tooMany = t.tooMany || other.tooMany
	for key, g := range other.groups {
		t.merge(key, g.Workers, g.Oldest)
	}
	t.failed.join(&other.failed, t.options.MaxNamed)
	t.stuck.join(&other.stuck, t.options.MaxNamed)
	t.nextStuck = Earlier(t.nextStuck, other.nextStuck)
	t.succeeded = append(t.succeeded, other.succeeded...)
	for key, targets := range other.targets {
		t.targets[key] = append(t.targets[key], targets...)
	}
	t.hosts.join(&other.hosts, t.options.MaxHosts)
}

// maxText bounds the label values of a job, in bytes: a snapshot is kept, and served at
// each scrape. 2,000 groups and 100 named workers of usual texts take 200 KiB, 1,000 hosts
// 50 KiB.
const maxText = 4 << 20

// text returns the bytes of the label values that a snapshot with these hosts would have.
func (t *tally) text(hosts []Host) (n int) {
	for key := range t.groups {
		n += len(key.product) + len(key.region) + len(key.status)
	}
	for _, workers := range []newestFirst{t.failed.kept, t.stuck.kept} {
		for i := range workers {
			w := &workers[i]
			n += len(w.InstanceID) + len(w.ListenerID) + len(w.Port) + len(w.ResourceDomain) + len(w.CertName)
		}
	}
	for i := range hosts {
		n += len(hosts[i].Name) + len(hosts[i].CertName)
	}
	return n
}

// snapshot ends the tally.
func (t *tally) snapshot() (*Snapshot, error) {
	hosts, noHost := t.hosts.sorted(t.options.MaxHosts)
	if text := t.text(hosts); text > maxText {
		return nil, reason.Errorf(reason.Limit, "label values of %d bytes are more than %d", text, maxText)
	}
	if t.tooMany {
		return nil, reason.Errorf(reason.Limit, "more than %d groups of product, region and status", t.options.MaxGroups)
	}
	s := &Snapshot{
		Pages: t.pages, Workers: t.workers, Groups: make([]Group, 0, len(t.groups)), NextStuck: t.nextStuck,
		TellsTargets: t.options.reads(cas.StatusSuccess), TellsStuck: t.options.readsMoving(),
		Failed: t.failed.sorted(), FailedOmitted: t.failed.omitted, Stuck: t.stuck.sorted(), StuckOmitted: t.stuck.omitted,
		Hosts: hosts, NoHost: noHost,
	}
	for _, key := range slices.SortedFunc(maps.Keys(t.groups), groupKey.compare) {
		for _, resource := range t.targets[key] {
			s.Targets = append(s.Targets, Target{len(s.Groups), resource})
		}
		s.Groups = append(s.Groups, *t.groups[key])
	}
	s.Succeeded = newResources(t.succeeded)
	return s, nil
}
