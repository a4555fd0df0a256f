package collector

import (
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/collector/schedule"
)

// Collector is a prometheus.Collector of what is known of the accounts.
type Collector struct {
	accounts        []shown
	families        []family
	accountFamilies []accountFamily
	spare           sync.Pool // of *exposition
	asOf            time.Time // compute ages as of this time; zero means now
}

// shown is an account with its families' heads.
type shown struct {
	*schedule.Account
	table *table
}

// New returns a Collector of at least one account.
func New(accounts schedule.Accounts) *Collector {
	c := &Collector{families: families(), accountFamilies: accountFamilies()}
	for _, a := range accounts {
		c.accounts = append(c.accounts, shown{a, newTable(a.Name, a.Region)})
	}
	return c
}

// AsOf makes all ages those of a moment: for a poll that takes longer than data may be
// old. It must not be called beside a scrape.
func (c *Collector) AsOf(at time.Time) { c.asOf = at }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	t := c.accounts[0].table
	for _, h := range slices.Concat(t.families, t.accountFamilies) {
		ch <- h.desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) { c.expose(&exposition{metrics: ch}) }

// WriteText writes what Collect collects in the classic text format, or as
// OpenMetrics without the line that ends it.
func (c *Collector) WriteText(w io.Writer, openMetrics bool) error {
	e, ok := c.spare.Get().(*exposition)
	if !ok {
		e = &exposition{}
	}
	e.to, e.openMetrics, e.err = w, openMetrics, nil
	c.expose(e)
	e.flush()
	e.to = nil
	c.spare.Put(e)
	return e.err
}

// expose hands every sample to an exposition.
func (c *Collector) expose(e *exposition) {
	now := time.Now()
	if !c.asOf.IsZero() {
		now = c.asOf
	}
	e.look(c.accounts, now)
	defer e.forget()
	for i, family := range c.families {
		e.begun = false
		for n := range e.scenes {
			s := &e.scenes[n]
			e.head = &s.table.families[i]
			for _, v := range s.views {
				if v.Shows(family.class, s.now, s.MaxStaleness) {
					e.fixed = append(append(e.fixed[:0], s.table.fixed...), v.Label)
					family.samples(v, e)
				}
			}
		}
	}
	for i, family := range c.accountFamilies {
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
