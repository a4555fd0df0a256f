package collector

import (
	"context"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// turns bound how many accounts are polled side by side: most of a poll is waiting
// for the account's own limiter, so that it takes many to keep a core busy. An
// account most of whose last poll failed slowly, as when its API does not answer,
// waits for others like it: it delays no sound one.
type turns struct{ sound, ailing chan struct{} }

func newTurns() *turns { return &turns{make(chan struct{}, 128), make(chan struct{}, 16)} }

// Fleet is the accounts of a process: their polls, and a prometheus.Collector of
// what they saw. A scrape reads memory only.
type Fleet struct {
	pollers         []*Poller
	families        []family
	accountFamilies []accountFamily
	spare           sync.Pool // of *exposition
	asOf            time.Time // what is shown is as old as it was then; zero: as it is
}

// NewFleet returns a Fleet of at least one Poller.
func NewFleet(pollers ...*Poller) *Fleet {
	return &Fleet{pollers: pollers, families: families(), accountFamilies: accountFamilies()}
}

// Run polls all accounts until ctx ends, their starts spread over a tenth of the
// interval.
func (f *Fleet) Run(ctx context.Context) {
	turns := newTurns()
	var all sync.WaitGroup
	for i, p := range f.pollers {
		stagger := p.options.PollInterval / 10 * time.Duration(i) / time.Duration(len(f.pollers))
		all.Go(func() { p.run(ctx, stagger, turns) })
	}
	all.Wait()
}

// Poll reads every job of every account once, however long it takes, and reports
// whether all of it succeeded. All that it read is shown from then on. It must not
// be called beside Run or a scrape.
func (f *Fleet) Poll(ctx context.Context) bool {
	f.asOf = time.Now()
	turn := newTurns().sound
	ok := make([]bool, len(f.pollers))
	var all sync.WaitGroup
	for i, p := range f.pollers {
		all.Go(func() {
			turn <- struct{}{}
			ok[i] = p.runCycle(ctx, true)
			<-turn
		})
	}
	all.Wait()
	return !slices.Contains(ok, false)
}

// Ready reports whether the first cycle of every account has ended.
func (f *Fleet) Ready() bool {
	return !slices.ContainsFunc(f.pollers, func(p *Poller) bool { return !p.account.Load().polled })
}

// Describe implements prometheus.Collector.
func (f *Fleet) Describe(ch chan<- *prometheus.Desc) {
	t := f.pollers[0].table
	for _, h := range slices.Concat(t.families, t.accountFamilies) {
		ch <- h.desc
	}
}

// Collect implements prometheus.Collector.
func (f *Fleet) Collect(ch chan<- prometheus.Metric) { f.expose(&exposition{metrics: ch}) }

// WriteText writes what Collect collects in the classic text format, or as
// OpenMetrics without the line that ends it.
func (f *Fleet) WriteText(w io.Writer, openMetrics bool) error {
	e, ok := f.spare.Get().(*exposition)
	if !ok {
		e = &exposition{}
	}
	e.to, e.openMetrics, e.err = w, openMetrics, nil
	f.expose(e)
	e.flush()
	e.to = nil
	f.spare.Put(e)
	return e.err
}

// expose hands every sample to an exposition.
func (f *Fleet) expose(e *exposition) {
	now := time.Now()
	if !f.asOf.IsZero() {
		now = f.asOf
	}
	e.look(f.pollers, now)
	defer e.forget()
	for i, family := range f.families {
		e.begun = false
		for n := range e.scenes {
			s := &e.scenes[n]
			e.head = &s.table.families[i]
			for _, v := range s.views {
				if v.shows(family.class, s.now, s.options.MaxStaleness) {
					e.fixed = append(append(e.fixed[:0], s.table.fixed...), v.label)
					family.samples(v, e)
				}
			}
		}
	}
	for i, family := range f.accountFamilies {
		e.begun = false
		for n := range e.scenes {
			s := &e.scenes[n]
			e.head, e.fixed = &s.table.accountFamilies[i], append(e.fixed[:0], s.table.fixed...)
			family.samples(s, e)
		}
	}
}

// RegisterProcess registers what is true of the whole process: its shard, and
// whether it shows a demo.
func RegisterProcess(registry prometheus.Registerer, shard, totalShards int, demo bool) {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "shard_info",
		Help: "Which share of the jobs this process watches, and of how many; the value is 1.",
	}, []string{"shard", "total_shards"})
	info.WithLabelValues(strconv.Itoa(shard), strconv.Itoa(totalShards)).Set(1)
	// A rule can count labels but not read them: the number must be a value too.
	total := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "total_shards",
		Help: "Configured number of processes that the jobs are divided among.",
	})
	total.Set(float64(totalShards))
	registry.MustRegister(info, total)
	if demo {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "demo",
			Help: "Present, and 1, when every number comes from the embedded simulator.",
		}, func() float64 { return 1 }))
	}
}
