package grafana

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// Where people reach an exporter, with the runbooks, and the console: constants of
// the dashboards, which people set.
const (
	exporterURL = "http://localhost:10077"
	consoleURL  = "https://yundun.console.aliyun.com"
)

// board is a dashboard under construction.
type board struct {
	*dashboard.DashboardBuilder
	*catalog

	uid string
}

func newBoard(uid, title, about string, c *catalog, variables ...variable) *board {
	//nolint:staticcheck // the classic schema is what Grafana 11 and 12 import
	b := &board{dashboard.NewDashboardBuilder(title), c, uid}
	b.Uid(uid).Description(about).Tags([]string{"aliyun-cas"}).Refresh("1m").Time("now-6h", "now").Version(1).
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").
			Description("The Prometheus that scrapes the exporter.").Type("prometheus"))
	for _, v := range variables {
		c.variables = append(c.variables, v.name)
	}
	for i, v := range variables {
		b.WithVariable(v.build(c, i))
	}
	b.constant("exporter_url", exporterURL, "Where people reach an exporter, which serves the runbooks.")
	b.constant("console_url", consoleURL, "The console; https://yundun.console.alibabacloud.com on the international site.")
	b.Link(sibling{}).
		Link(link{"Runbooks", "${exporter_url}/runbooks", true}).
		Link(link{"CAS console", "${console_url}/?p=cas", true})
	return b
}

// sibling links to the other dashboard, with the same choices.
type sibling struct{}

// Build is that of a builder.
func (sibling) Build() (dashboard.DashboardLink, error) {
	return dashboard.DashboardLink{
		Title: "Alibaba Cloud CAS", Type: dashboard.DashboardLinkTypeDashboards, Icon: "external link", Tags: []string{"aliyun-cas"},
		IncludeVars: true, KeepTime: true,
	}, nil
}

func (b *board) constant(name, value, about string) {
	b.WithVariable(dashboard.NewConstantVariableBuilder(name).Description(about).Value(dashboard.StringOrMap{String: &value}))
}

// row adds panels under a title.
func (b *board) row(title string, panels ...cog.Builder[dashboard.Panel]) {
	b.WithRow(dashboard.NewRowBuilder(title).Id(identity("row " + title)))
	for _, p := range panels {
		b.WithPanel(p)
	}
}

// folded adds panels in a closed row: their queries run when somebody opens it.
func (b *board) folded(title string, panels ...cog.Builder[dashboard.Panel]) {
	row := dashboard.NewRowBuilder(title).Id(identity("row " + title)).Collapsed(true)
	for _, p := range panels {
		row.WithPanel(p)
	}
	b.WithRow(row)
}

// json returns the dashboard with sorted keys, which keep differences short.
func (b *board) json() ([]byte, error) {
	built, err := b.Build()
	if err != nil {
		return nil, err
	}
	if len(b.unknown) > 0 {
		return nil, fmt.Errorf("nobody exports %q", b.unknown)
	}
	raw, err := json.Marshal(built)
	if err != nil {
		return nil, err
	}
	var document any
	if err = json.Unmarshal(raw, &document); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(document)
	return text.Bytes(), err
}

// variable lets people choose the values of a label. It has the name of the label.
type variable struct{ name, label, about, family string }

// build offers the values that match the choices of the variables before it.
func (v variable) build(c *catalog, before int) *dashboard.QueryVariableBuilder {
	narrowed := &catalog{labels: c.labels, source: c.source, variables: c.variables[:before]}
	query, regex, sort := fmt.Sprintf("label_values(%s, %s)", narrowed.series(v.family), v.name), "", dashboard.VariableSortAlphabeticalAsc
	switch v.name {
	case "job_id": // by name, the newest first
		query = fmt.Sprintf(`query_result(label_join(max by (job_id, job_name) (%s or on (%s) %s >= bool 0), "text", " ", "job_id", "job_name"))`,
			narrowed.series("deployment_job_info"), jobs, narrowed.series(v.family))
		regex, sort = `/job_id="(?<value>[^"]+)".*text="(?<text>[^"]+)/`, dashboard.VariableSortNumericalDesc
	case "region_id": // a product without a region can be chosen, too
		query = fmt.Sprintf(`query_result(label_replace(count by (region_id) (%s), "region_id", "(none)?", "region_id", ""))`, narrowed.series(v.family))
		regex = `/region_id="([^"]+)"/`
	}
	all, allOf := "All", "$__all"
	return dashboard.NewQueryVariableBuilder(v.name).Label(v.label).Description(v.about).Datasource(source()).
		Query(dashboard.StringOrMap{String: &query}).Definition(query).Regex(regex).Sort(sort).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Multi(true).
		// A label that is not there, such as that of the one unnamed account, is only matched by .*
		IncludeAll(true).AllValue(".*").
		Current(dashboard.VariableOption{
			Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{all}},
			Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{allOf}},
		})
}

// scraped returns the variables that choose exporters and accounts.
func scraped() []variable {
	return []variable{
		{"cluster", "Cluster", "Clusters, where Prometheus adds such a label.", "poll_interval_seconds"},
		{"namespace", "Namespace", "Namespaces of Kubernetes.", "poll_interval_seconds"},
		{"job", "Scrape job", "Jobs of Prometheus that scrape exporters.", "poll_interval_seconds"},
		{"account", "Account", "Accounts of CAS_ACCOUNTS. All includes the one unnamed account.", "poll_interval_seconds"},
	}
}
