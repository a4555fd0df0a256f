package collector

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/encoding/protowire"
)

const namespace = "aliyun_cas"

// description is what every family has.
type description struct {
	name   string // without prefix
	help   string
	labels []string
}

// table is the families of an account as its exposition shows them.
type table struct {
	fixed           []string // the values of the labels account and api_region, as far as there are any
	families        []head
	accountFamilies []head
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

// The fields of MetricFamily, Metric, LabelPair and Gauge that a gauge has.
const (
	familyName, familyHelp, familyType, familyMetric protowire.Number = 1, 2, 3, 4
	metricLabel, metricGauge                         protowire.Number = 1, 2
	labelName, labelValue                            protowire.Number = 1, 2
	gaugeValue                                       protowire.Number = 1
)

// protoHead returns the fields of a family of gauges but its metrics.
func protoHead(name, help string) (b []byte) {
	b = protowire.AppendString(protowire.AppendTag(b, familyName, protowire.BytesType), name)
	b = protowire.AppendString(protowire.AppendTag(b, familyHelp, protowire.BytesType), help)
	return protowire.AppendVarint(protowire.AppendTag(b, familyType, protowire.VarintType), uint64(dto.MetricType_GAUGE))
}

// protoLabel returns what stands before the length of a label's value.
func protoLabel(name string) (b []byte) {
	b = protowire.AppendString(protowire.AppendTag(b, labelName, protowire.BytesType), name)
	return protowire.AppendTag(b, labelValue, protowire.BytesType)
}
