package grafana

import (
	"fmt"
	"hash/fnv"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// The palette of Okabe and Ito, and greys.
const (
	orange, sky, green, yellow = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
	blue, vermilion, purple    = "#0072B2", "#D55E00", "#CC79A7"
	light, grey, dark, clear   = "#CCCCCC", "#999999", "#555555", "transparent"
)

const (
	count = "none" // written out, where units.Short makes 1.2 K of 1,234
	days  = "suffix: days"
)

const (
	where   = "{{cluster}} {{namespace}} {{job}}" // ends legends
	jobName = "{{job_name}} ({{job_id}}) " + where
	unread  = "unknown: see Data"
	noRows  = "none, if Data says fresh"
)

// panel holds what every panel has. The zero height is 8, the zero width 12 of 24.
type panel struct {
	title, about  string
	empty         string // what it says without data
	unit          string
	width, height uint32
	sorted        string // the column by which a table is sorted; with a leading minus from high to low
	steps         []step
	states        []state
	links         []link
	queries       []query
}

// query is an expression with its legend.
type query struct {
	expr, legend string
	at           moment
}

type moment int

const (
	overTime moment = iota
	atEnd           // one value for each series, at the end of the time range
	asRows          // the same, as rows of a table
)

// step is a colour from a value on. The value of the first step is ignored.
type step struct {
	from   float64
	colour string
}

// state is a value that is shown as a word.
type state struct{ value, text, colour string }

// link is followed from a value.
type link struct {
	title, url string
	blank      bool // opens a new tab
}

// builder is a panel builder of any type.
type builder[B any] interface {
	cog.Builder[dashboard.Panel]
	Id(uint32) B
	Title(string) B
	Description(string) B
	Datasource(common.DataSourceRef) B
	Height(uint32) B
	Span(uint32) B
	NoValue(string) B
	Unit(string) B
	Thresholds(cog.Builder[dashboard.ThresholdsConfig]) B
	ColorScheme(cog.Builder[dashboard.FieldColor]) B
	Mappings([]dashboard.ValueMapping) B
	DataLinks([]cog.Builder[dashboard.DashboardLink]) B
	WithTarget(cog.Builder[variants.Dataquery]) B
	RecordError(string, error) B
}

// style gives a panel what all panels have.
func style[B builder[B]](b B, p panel) B {
	if p.title == "" || p.about == "" || p.empty == "" || len(p.queries) == 0 {
		b = b.RecordError(p.title, fmt.Errorf("wants a title, a description, a text for no data, and a query: %+v", p))
	}
	b = b.Id(identity(p.title)).Title(p.title).Description(p.about).Datasource(source()).
		Height(or(p.height, 8)).Span(or(p.width, 12)).NoValue(p.empty).
		Thresholds(thresholds(p.steps)).ColorScheme(colour(dashboard.FieldColorModeIdThresholds)).
		DataLinks(links(p.links))
	if p.unit != "" {
		b = b.Unit(p.unit)
	}
	if len(p.states) > 0 {
		b = b.Mappings(mappings(p.states))
	}
	for i, q := range p.queries {
		b = b.WithTarget(q.build(ref(i)))
	}
	return b
}

// ref is the name of the nth query of a panel.
func ref(n int) string { return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[n : n+1] }

// identity makes an id of a title, so that it stays the same when panels are added
// before this one.
func identity(title string) uint32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(title))
	return hash.Sum32() % 1_000_000
}

func or(n, otherwise uint32) uint32 {
	if n == 0 {
		return otherwise
	}
	return n
}

func source() common.DataSourceRef {
	kind, uid := "prometheus", "${datasource}"
	return common.DataSourceRef{Type: &kind, Uid: &uid}
}

func (q query) build(ref string) *prometheus.DataqueryBuilder {
	b := prometheus.NewDataqueryBuilder().RefId(ref).Datasource(source()).EditorMode(prometheus.QueryEditorModeCode).Expr(q.expr)
	if q.legend != "" {
		b = b.LegendFormat(q.legend)
	}
	switch q.at {
	case asRows:
		return b.Instant().Format(prometheus.PromQueryFormatTable)
	case atEnd:
		return b.Instant()
	default:
		return b.Range()
	}
}

func thresholds(steps []step) *dashboard.ThresholdsConfigBuilder {
	if len(steps) == 0 {
		steps = []step{{0, blue}}
	}
	all := make([]dashboard.Threshold, len(steps))
	for i, s := range steps {
		all[i].Color = s.colour
		if i > 0 {
			all[i].Value = &s.from
		}
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(all)
}

func colour(mode dashboard.FieldColorModeId) *dashboard.FieldColorBuilder {
	return dashboard.NewFieldColorBuilder().Mode(mode)
}

func mappings(states []state) []dashboard.ValueMapping {
	options := map[string]dashboard.ValueMappingResult{}
	for i, s := range states {
		index := int32(i)
		options[s.value] = dashboard.ValueMappingResult{Text: &s.text, Color: &s.colour, Index: &index}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}}
}

// Build is that of a builder: the SDK's hides links in a menu.
func (l link) Build() (dashboard.DashboardLink, error) {
	return dashboard.DashboardLink{Title: l.title, Type: dashboard.DashboardLinkTypeLink, Icon: "external link", Url: &l.url, Tags: []string{}, TargetBlank: l.blank}, nil
}

func links(all []link) []cog.Builder[dashboard.DashboardLink] {
	builders := make([]cog.Builder[dashboard.DashboardLink], len(all))
	for i, l := range all {
		builders[i] = l
	}
	return builders
}

// chosen carries the choices of the dashboard over to a link.
const chosen = "/d/aliyun-cas-overview?${__url_time_range}&${datasource:queryparam}&${cluster:queryparam}&${namespace:queryparam}&${job:queryparam}&${account:queryparam}"

const (
	idInRow    = `__data.fields["Job ID"]`
	idInSeries = "__field.labels.job_id"
)

// jobLinks are followed from a row or series about a job. id is how Grafana writes
// the job's id there.
func jobLinks(id string) []link {
	return []link{
		{"Show this job alone", chosen + "&var-job_id=${" + id + ":percentencode}", false},
		{"Open the job in the CAS console (type user)", "${console_url}/?p=cas#/deployDetail/user/${" + id + ":percentencode}", true},
	}
}

// jobStates returns the statuses of a job with their colours.
func jobStates() []state {
	return []state{
		{"editing", "editing", dark},
		{"pending", "pending", yellow},
		{"scheduling", "scheduling", sky},
		{"processing", "processing", blue},
		{"success", "success", green},
		{"error", "error", vermilion},
	}
}

func expiry() []step { return []step{{0, vermilion}, {3, orange}, {14, sky}} }
