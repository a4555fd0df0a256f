package collector

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

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
	proto  []byte  // the family in protobuf, without samples
}

// label is what stands before the value of a label, in each format, and the place of
// that value.
type label struct {
	name, text string
	proto      []byte
	value      int
}

func newHead(d *description, fixed []string) head {
	names := slices.Concat(fixed, d.labels)
	name := namespace + "_" + d.name
	h := head{
		desc: prometheus.NewDesc(name, d.help, names, nil), name: name, end: " ",
		intro: "# HELP " + name + " " + d.help + "\n# TYPE " + name + " gauge\n",
		proto: protoHead(name, d.help),
	}
	for i, name := range names {
		h.labels = append(h.labels, label{name: name, value: i, proto: protoLabel(name)})
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
