package collector

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector serves what its Pollers saw. A scrape reads memory only.
type Collector struct{ pollers []*Poller }

// NewCollector returns a Collector of the accounts' Pollers.
func NewCollector(pollers ...*Poller) *Collector { return &Collector{pollers: pollers} }

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	t := c.pollers[0].table
	for _, desc := range slices.Concat(t.descs, t.accountDescs) {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	now := time.Now()
	for _, p := range c.pollers {
		p.table.renderAccount(scrape{Poller: p, account: *p.account.Load(), now: now}, ch)
		for _, j := range *p.jobs.Load() {
			v := j.view.Load()
			for i, metrics := range v.samples {
				if v.shows(class(i), now, p.options.MaxStaleness) {
					for _, m := range metrics {
						ch <- m
					}
				}
			}
		}
	}
}
