package grafana

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// column is a label of the rows, or the values of a query.
type column struct {
	title       string
	label, expr string
	unit        string
	steps       []step // colours of its background
	states      []state
	links       []link
}

// moments is the unit of milliseconds since 1970.
const moments = "dateTimeAsIso"

// place returns the columns that say which exporters a row comes from.
func place() []column {
	return []column{
		{title: "Account", label: "account"},
		{title: "API region", label: "api_region"},
		{title: "Cluster", label: "cluster"},
		{title: "Namespace", label: "namespace"},
		{title: "Scrape job", label: "job"},
	}
}

// rows shows a table. Rows of several queries that have the same labels are one.
func rows(p panel, columns ...column) *table.PanelBuilder {
	organize := struct {
		Index    map[string]int    `json:"indexByName"`
		Rename   map[string]string `json:"renameByName"`
		Excluded map[string]bool   `json:"excludeByName"`
	}{map[string]int{}, map[string]string{}, map[string]bool{"Time": true}}
	for i, c := range columns {
		field := c.label
		if c.expr != "" {
			field = "Value #" + ref(len(p.queries))
			p.queries = append(p.queries, query{c.expr, "", asRows})
			if c.title == "" { // its labels are what it is for
				organize.Excluded[field] = true
				continue
			}
		}
		organize.Index[field], organize.Rename[field] = i, c.title
	}
	// If only one query returns rows, Grafana uses this name for its values.
	if i, shown := organize.Index["Value #A"]; shown && len(p.queries) == 1 {
		organize.Index["Value"], organize.Rename["Value"] = i, organize.Rename["Value #A"]
	} else {
		organize.Excluded["Value"] = true
	}
	p.steps = []step{{0, clear}}
	by, highFirst := strings.CutPrefix(p.sorted, "-")
	sorted := common.NewTableSortByFieldStateBuilder().DisplayName(by).Desc(highFirst)
	b := style(table.NewPanelBuilder(), p).Filterable(true).SortBy([]cog.Builder[common.TableSortByFieldState]{sorted}).
		Footer(common.NewTableFooterOptionsBuilder().Reducer([]string{})).
		WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: struct{}{}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: organize})
	for _, c := range columns {
		if properties := c.properties(); len(properties) > 0 {
			b = b.OverrideByName(c.title, properties)
		}
	}
	return b
}

// properties returns what a column does not share with the others.
func (c column) properties() []dashboard.DynamicConfigValue {
	var all []dashboard.DynamicConfigValue
	set := func(id string, value any) { all = append(all, dashboard.DynamicConfigValue{Id: id, Value: value}) }
	if c.unit != "" {
		set("unit", c.unit)
	}
	switch c.unit {
	case units.PercentUnit:
		set("decimals", 0)
	case days:
		set("decimals", 1)
	}
	if len(c.steps) > 0 {
		steps, _ := thresholds(c.steps).Build()
		set("thresholds", steps)
	}
	if len(c.states) > 0 {
		set("mappings", mappings(c.states))
	}
	if len(c.steps)+len(c.states) > 0 {
		set("custom.cellOptions", common.TableColoredBackgroundCellOptions{
			Type: common.TableCellDisplayModeColorBackground, Mode: new(common.TableCellBackgroundDisplayModeBasic), ApplyToRow: new(false),
		})
	}
	if len(c.links) > 0 {
		built := make([]dashboard.DashboardLink, len(c.links))
		for i, l := range links(c.links) {
			built[i], _ = l.Build()
		}
		set("links", built)
	}
	return all
}
