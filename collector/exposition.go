package collector

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"aliyun_cas_exporter/collector/schedule"
)

// flushAt is how much text an exposition gathers before it writes.
const flushAt = 32 << 10

// exposition receives the samples of a Collector, family by family. It writes them as
// text without making metrics first: held between scrapes, they take six
// times the memory of what they show; made at each scrape, most
// of its time. For all other formats it makes them.
type exposition struct {
	openMetrics bool // else the classic text
	to          io.Writer
	err         error
	text        []byte
	metrics     chan<- prometheus.Metric // if not nil, takes metrics instead of text

	*head
	begun  bool     // the family's intro is written
	fixed  []string // the values of the labels account, api_region and job_id
	scenes []scrape // what there is to show of each account: the same moment for all families
}

// look takes one view of each account and job, as old as it is now.
func (e *exposition) look(accounts []shown, now time.Time) {
	e.scenes = slices.Grow(e.scenes[:0], len(accounts))[:len(accounts)]
	for n, a := range accounts {
		s := &e.scenes[n]
		s.Account, s.table, s.round, s.expected, s.now = a.Account, a.table, a.Round(), a.Expected(), now
		s.views = a.Views(s.views[:0])
	}
}

// forget drops what look took: a spare exposition must not hold what was replaced.
func (e *exposition) forget() {
	for n := range e.scenes {
		clear(e.scenes[n].views)
		e.scenes[n].round, e.scenes[n].expected = schedule.Round{}, nil
	}
}

// emit adds a sample: its value, and the values of the labels that the family
// names.
func (e *exposition) emit(value float64, labels ...string) {
	if e.metrics != nil {
		e.metrics <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, value, slices.Concat(e.fixed, labels)...)
		return
	}
	if !e.begun {
		e.begun = true
		e.text = append(e.text, e.intro...)
	}
	e.text = append(e.text, e.name...)
	for _, l := range e.labels {
		e.text = append(e.text, l.text...)
		if i := l.value - len(e.fixed); i >= 0 {
			e.escape(labels[i])
		} else {
			e.escape(e.fixed[l.value])
		}
	}
	e.text = append(e.text, e.end...)
	e.number(value)
	e.text = append(e.text, '\n')
	if len(e.text) >= flushAt {
		e.flush()
	}
}

// instant adds a time, or nothing where there is none.
func (e *exposition) instant(at time.Time, labels ...string) {
	if !at.IsZero() {
		e.emit(float64(at.UnixMilli())/1000, labels...)
	}
}

func (e *exposition) escape(value string) {
	from := 0
	for i := range len(value) {
		switch c := value[i]; c {
		case '\\', '"', '\n':
			e.text = append(append(e.text, value[from:i]...), '\\', c)
			if from = i + 1; c == '\n' {
				e.text[len(e.text)-1] = 'n'
			}
		}
	}
	e.text = append(e.text, value[from:]...)
}

func (e *exposition) number(value float64) {
	start := len(e.text)
	if 0 <= value && value < 1e6 && value == float64(int64(value)) {
		e.text = strconv.AppendInt(e.text, int64(value), 10)
	} else {
		e.text = strconv.AppendFloat(e.text, value, 'g', -1, 64)
	}
	if e.openMetrics && !bytes.ContainsAny(e.text[start:], ".e") {
		e.text = append(e.text, ".0"...)
	}
}

func (e *exposition) flush() {
	if e.err == nil {
		_, e.err = e.to.Write(e.text)
	}
	e.text = e.text[:0]
}

// table is the families of an account as its exposition shows them.
type table struct {
	fixed           []string // the values of the labels account and api_region, as far as there are any
	families        []head
	accountFamilies []head
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

// head is what the samples of a family have in common.
type head struct {
	desc   *prometheus.Desc
	intro  string // the lines before the samples
	name   string
	labels []label // by name, as Prometheus orders them
	end    string  // of the labels, before the value
}

// label is what stands before the value of a label, and the place of that value.
type label struct {
	name, text string
	value      int
}

func newHead(d *description, fixed []string) head {
	names := slices.Concat(fixed, d.labels)
	name := namespace + "_" + d.name
	h := head{
		desc: prometheus.NewDesc(name, d.help, names, nil), name: name, end: " ",
		intro: "# HELP " + name + " " + d.help + "\n# TYPE " + name + " gauge\n",
	}
	for i, name := range names {
		h.labels = append(h.labels, label{name: name, value: i})
	}
	slices.SortFunc(h.labels, func(a, b label) int { return cmp.Compare(a.name, b.name) })
	for i := range h.labels {
		before := `",`
		if i == 0 {
			before, h.end = "{", `"} `
		}
		h.labels[i].text = before + h.labels[i].name + `="`
	}
	return h
}
