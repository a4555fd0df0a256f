package collector

import (
	"cmp"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"aliyun_cas_exporter/collector/schedule"
)

// Collector is what is known of the accounts, as metrics.
type Collector struct {
	accounts        []shown
	families        []family
	accountFamilies []accountFamily
	order           []place   // of all families, by name
	spare           sync.Pool // of *exposition
	asOf            time.Time // compute ages as of this time; zero means now
}

// place says where a family is: at this index of the families, or of the account's.
type place struct {
	name      string
	index     int
	ofAccount bool
}

// New returns a Collector of at least one account.
func New(accounts schedule.Accounts) *Collector {
	c := &Collector{families: families(), accountFamilies: accountFamilies()}
	for _, a := range accounts {
		c.accounts = append(c.accounts, shown{a, newTable(a.Name, a.Region)})
	}
	for i := range c.families {
		c.order = append(c.order, place{namespace + "_" + c.families[i].name, i, false})
	}
	for i := range c.accountFamilies {
		c.order = append(c.order, place{namespace + "_" + c.accountFamilies[i].name, i, true})
	}
	slices.SortFunc(c.order, func(a, b place) int { return cmp.Compare(a.name, b.name) })
	return c
}

// AsOf computes ages as of a moment instead of now, for a poll that takes longer than the staleness.
// It must not be called during a scrape.
func (c *Collector) AsOf(at time.Time) { c.asOf = at }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	t := c.accounts[0].table
	for _, h := range slices.Concat(t.families, t.accountFamilies) {
		ch <- h.desc
	}
}

// Collect implements prometheus.Collector. Write is many times as fast; a registry of
// this is what it is compared with.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	_ = c.expose(&exposition{metrics: ch}, func(string) bool { return true })
}

// Write writes the families of one moment, sorted by name, as text, as OpenMetrics without
// its last line, or as delimited protobuf. Before each family it calls before with the name,
// and writes the family if that returns true. An error of single families, broken, hides
// no other; after err the output is useless.
func (c *Collector) Write(w io.Writer, format expfmt.FormatType, before func(name string) bool) (broken, err error) {
	e, ok := c.spare.Get().(*exposition)
	if !ok {
		e = &exposition{}
	}
	e.to, e.format, e.err = w, format, nil
	broken = c.expose(e, before)
	err, e.to = e.err, nil
	c.spare.Put(e)
	return broken, err
}

// expose passes every wanted sample to an exposition, and returns the errors of single
// families.
func (c *Collector) expose(e *exposition, before func(name string) bool) error {
	now := time.Now()
	if !c.asOf.IsZero() {
		now = c.asOf
	}
	e.look(c.accounts, now)
	defer e.forget()
	var broken []error
	for _, p := range c.order {
		if before(p.name) {
			broken = append(broken, e.family(p.name, func() { c.samples(p, e) }))
		}
	}
	return errors.Join(broken...)
}

// samples emits the samples of a family.
func (c *Collector) samples(p place, e *exposition) {
	for n := range e.scenes {
		s := &e.scenes[n]
		if p.ofAccount {
			e.head, e.fixed = &s.table.accountFamilies[p.index], append(e.fixed[:0], s.table.fixed...)
			c.accountFamilies[p.index].samples(s, e)
			continue
		}
		e.head = &s.table.families[p.index]
		family := &c.families[p.index]
		for _, v := range s.views {
			if v.Shows(family.class, s.now, s.MaxStaleness) {
				e.fixed = append(append(e.fixed[:0], s.table.fixed...), v.Label)
				family.samples(v, e)
			}
		}
	}
}

// RegisterProcess registers the metrics of the whole process: its shard, and whether it
// shows a demo.
func RegisterProcess(registry prometheus.Registerer, shard, totalShards int, demo bool) {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "shard_info",
		Help: "Shard of the jobs that this process watches, and the number of shards; the value is 1.",
	}, []string{"shard", "total_shards"})
	info.WithLabelValues(strconv.Itoa(shard), strconv.Itoa(totalShards)).Set(1)
	// Rules cannot read a label as a number, so the number is a value too.
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

func newTable(account, region string) *table {
	t := &table{}
	var names []string
	if account != "" {
		names, t.fixed = append(names, "account"), append(t.fixed, account)
	}
	if region != "" {
		names, t.fixed = append(names, "api_region"), append(t.fixed, region)
	}
	for _, f := range accountFamilies() {
		t.accountFamilies = append(t.accountFamilies, newHead(&f.description, names))
	}
	names = append(names, "job_id")
	for _, f := range families() {
		t.families = append(t.families, newHead(&f.description, names))
	}
	return t
}
