package collector

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// samples are a job's metrics by class, ready to be served.
type samples [classes][]prometheus.Metric

// table is the families of an account with their descriptors.
type table struct {
	account         []string // the value of the label account, if there is one
	families        []family
	descs           []*prometheus.Desc
	accountFamilies []accountFamily
	accountDescs    []*prometheus.Desc
}

func newTable(account string) *table {
	t := &table{families: families(), accountFamilies: accountFamilies()}
	var names []string
	if account != "" {
		names, t.account = []string{"account"}, []string{account}
	}
	for _, f := range t.accountFamilies {
		t.accountDescs = append(t.accountDescs, f.desc(names))
	}
	names = append(names, "job_id")
	for _, f := range t.families {
		t.descs = append(t.descs, f.desc(names))
	}
	return t
}

func (d *description) desc(first []string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+d.name, d.help, slices.Concat(first, d.labels), nil)
}

// render makes the samples of one class.
func (t *table) render(c class, v *View) []prometheus.Metric {
	var metrics []prometheus.Metric
	prefix := append(slices.Clone(t.account), strconv.FormatInt(v.ID, 10))
	for i, f := range t.families {
		if f.class != c {
			continue
		}
		f.samples(v, func(value float64, labels ...string) {
			metrics = append(metrics, prometheus.MustNewConstMetric(
				t.descs[i], prometheus.GaugeValue, value, slices.Concat(prefix, labels)...))
		})
	}
	return metrics
}

// has reports whether a view has what a class shows.
func (v *View) has(c class) bool {
	switch c {
	case sweeps:
		return v.snapshot != nil
	case records:
		return v.record.known()
	case counted:
		return v.counts.known()
	case certificate:
		return v.certificates.known()
	default:
		return true
	}
}

// confirmed returns when the content of a class was last confirmed.
func (v *View) confirmed(c class) time.Time {
	switch c {
	case sweeps:
		return v.Success
	case records:
		return v.record.at
	case counted:
		return v.counts.at
	default:
		return v.certificates.at
	}
}

// shows reports whether a class is fit to be served at a time.
func (v *View) shows(c class, now time.Time, maxStaleness time.Duration) bool {
	return c == always || v.has(c) && now.Sub(v.confirmed(c)) <= maxStaleness
}

// publish makes a view visible to scrapes, rendering what differs from the one
// before it: on most polls only that a job was confirmed.
func (p *Poller) publish(j *job, v *View) {
	before := j.view.Load()
	v.samples = before.samples
	changed := [classes]bool{
		always:      true,
		sweeps:      v.snapshot != before.snapshot,
		records:     v.record.value != before.record.value || v.record.known() != before.record.known(),
		counted:     v.counts.value != before.counts.value || v.counts.known() != before.counts.known() || v.snapshot != before.snapshot,
		certificate: !slices.Equal(v.certificates.value, before.certificates.value),
	}
	for c := range classes {
		if changed[c] && v.has(c) {
			v.samples[c] = p.table.render(c, v)
		}
	}
	j.view.Store(v)
}
