package grafana_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/grafana"
	"aliyun_cas_exporter/internal/simulator"
)

// awaited returns the families that no exporter has yet.
func awaited(t *testing.T) map[string][]string {
	t.Helper()
	families, have := map[string][]string{}, shipped(t)
	for name, labels := range grafana.Promised() {
		if name = "aliyun_cas_" + name; have[name] == nil {
			families[name] = labels
		}
	}
	return families
}

// waits reports whether an expression cannot return data before a family of it is
// exported.
func waits(t *testing.T, expr string) bool {
	t.Helper()
	for name := range awaited(t) {
		if strings.Contains(expr, name+"{") && !strings.Contains(expr, "  - max by (cluster, namespace, job, api_region, account, job_id, cloud_product, region_id, status) ("+name) {
			return true
		}
	}
	return false
}

// interpolate replaces variables as Grafana does: by the chosen value, or by the
// regular expression of All.
func interpolate(t *testing.T, d *dashboard, query string, chosen map[string]string) string {
	t.Helper()
	builtin := map[string]string{"__rate_interval": "20s", "__range": "2m", "__from": "0"}
	return regexp.MustCompile(`\$([a-z_]\w*)|\$\{(\w+)(:pipe)?\}`).ReplaceAllStringFunc(query, func(reference string) string {
		name := strings.TrimSuffix(strings.Trim(reference, "${}"), ":pipe")
		if value, ok := builtin[name]; ok {
			return value
		}
		variables := d.chosenBy()
		i := slices.IndexFunc(variables, func(v variable) bool { return v.Name == name })
		if i < 0 {
			t.Errorf("%s: there is no variable %s", query, reference)
			return reference
		}
		value, ok := chosen[name]
		switch {
		case !ok:
			return variables[i].AllValue
		case strings.HasSuffix(reference, ":pipe}"):
			return value
		default: // twice: for the regular expression, and for the string that holds it
			return strings.ReplaceAll(regexp.QuoteMeta(value), `\`, `\\`)
		}
	})
}

// query is one of a dashboard, with what is made of its answer.
type query struct {
	where, expr string
	instant     bool
	labels      []string // that a legend or a link shows
	panel       string
	columns     []string // labels of which each must come with some query of the panel
}

var reference = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}|__field\.labels\.(\w+)`)

// queries returns the queries of panels and annotations.
func (d *dashboard) queries() []query {
	var all []query
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			q := query{where: p.Title + " " + t.RefID, panel: p.Title, expr: t.Expr, instant: t.Instant}
			texts := t.LegendFormat
			for _, link := range p.FieldConfig.Defaults.Links {
				texts += link.URL
			}
			for _, match := range reference.FindAllStringSubmatch(texts, -1) {
				q.labels = append(q.labels, match[1]+match[2])
			}
			for _, transformation := range p.Transformations {
				for column := range transformation.Options.IndexByName {
					if !strings.HasPrefix(column, "Value") {
						q.columns = append(q.columns, column)
					}
				}
			}
			all = append(all, q)
		}
	}
	for _, a := range d.Annotations.List {
		q := query{where: "annotation " + a.Name, expr: a.Target.Expr}
		for _, match := range reference.FindAllStringSubmatch(a.TitleFormat, -1) {
			q.labels = append(q.labels, match[1])
		}
		all = append(all, q)
	}
	return all
}

// TestQueriesReturnData runs every query of the dashboards, as Grafana would,
// against a Prometheus that scrapes the exporter in demo mode, one more as a named
// account with native histograms, and one whose API cannot be reached.
func TestQueriesReturnData(t *testing.T) {
	exporter := buildExporter(t)
	demo := map[string]string{"CAS_REQUESTS_PER_SECOND": "100"}
	dead := map[string]string{
		"CAS_ENDPOINT": "http://127.0.0.1:1", "CAS_JOB_IDS": "8888",
		"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
	}
	const place = "cluster: eu, namespace: certs"
	p := startPrometheus(t,
		scrape{job: "cas", labels: place, targets: []string{startExporter(t, exporter, demo, "--demo"), startExporter(t, exporter, dead)}},
		scrape{job: "named", labels: place, targets: []string{startExporter(t, exporter, demo, "--demo")}, more: `    scrape_native_histograms: true
    always_scrape_classic_histograms: true
    metric_relabel_configs:
      - {source_labels: [__name__], regex: aliyun_cas_(deployment|discovery|poll|api)_.*, target_label: account, replacement: prod}
`})
	count := 0
	for file, d := range dashboards(t) {
		options := map[string][]string{}
		for _, v := range d.chosenBy() {
			count++
			eventually(t, file+": variable "+v.Name, func() (err error) {
				options[v.Name], err = choices(p, v, interpolate(t, d, v.Query, nil))
				return err
			})
		}
		shown := map[string]map[string]bool{} // labels by panel
		for _, q := range d.queries() {
			count++
			eventually(t, file+": "+q.where, func() error {
				result, err := run(p, q, interpolate(t, d, q.expr, nil), time.Now())
				if waits(t, q.expr) {
					delete(shown, q.panel)
					return nil
				}
				labels := map[string]bool{}
				for _, s := range result {
					for label := range s.Metric {
						labels[label] = true
					}
				}
				for _, label := range q.labels {
					if err == nil && !labels[label] && label != "api_region" {
						err = fmt.Errorf("no series has the label %s that is shown", label)
					}
				}
				if shown[q.panel] == nil {
					shown[q.panel] = map[string]bool{}
				}
				maps.Copy(shown[q.panel], labels)
				return err
			})
		}
		checkColumns(t, d, shown)
		if !t.Failed() { // else some variable has no choices
			t.Run(file, func(t *testing.T) { checkChoices(t, p, d, options) })
		}
	}
	if !t.Failed() {
		t.Logf("%d queries of panels, annotations and variables returned data", count)
	}
	for file, d := range dashboards(t) {
		t.Run("names in "+file, func(t *testing.T) { checkLabels(t, p, d) })
	}
}

// checkColumns checks that the columns of tables are the labels of their queries,
// which Grafana would show, too, under their own names.
func checkColumns(t *testing.T, d *dashboard, shown map[string]map[string]bool) {
	t.Helper()
	for _, q := range d.queries() {
		labels, ok := shown[q.panel]
		if !ok || len(q.columns) == 0 {
			continue
		}
		for _, column := range q.columns {
			// There are several API regions only if CAS_REGION_ID lists them, and alerts have the labels that they fire with.
			if !labels[column] && column != "api_region" && !strings.Contains(q.expr, "ALERTS") {
				t.Errorf("%s: no query brings the label %s of a column", q.where, column)
			}
		}
		for label := range labels {
			if !slices.Contains(q.columns, label) {
				t.Errorf("%s: the label %s has no column", q.where, label)
			}
		}
	}
}

// run evaluates a query and demands a number.
func run(p prometheus, q query, expr string, at time.Time) ([]sample, error) {
	evaluate := p.queryRange
	if q.instant {
		evaluate = p.query
	}
	result, err := evaluate(expr, at)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, expr)
	}
	for _, s := range result {
		for _, value := range append(s.Values, s.Value) {
			if value[1] != nil && value[1] != "NaN" {
				return result, nil
			}
		}
	}
	return nil, fmt.Errorf("%d series without a number\n%s", len(result), expr)
}

// choices returns the values of a variable as Grafana finds them.
func choices(p prometheus, v variable, expr string) ([]string, error) {
	var texts []string
	if match := regexp.MustCompile(`^label_values\((.+),\s*(\w+)\)$`).FindStringSubmatch(expr); match != nil {
		if err := p.get("label/"+match[2]+"/values", &texts, "match[]", match[1]); err != nil {
			return nil, err
		}
	} else if match := regexp.MustCompile(`^query_result\((.+)\)$`).FindStringSubmatch(expr); match != nil {
		result, err := p.query(match[1], time.Now())
		if err != nil {
			return nil, err
		}
		for _, s := range result {
			var labels []string
			for _, name := range slices.Sorted(maps.Keys(s.Metric)) {
				labels = append(labels, fmt.Sprintf(`%s="%s"`, name, s.Metric[name]))
			}
			texts = append(texts, fmt.Sprintf("{%s} %v 0", strings.Join(labels, ","), s.Value[1]))
		}
	} else {
		return nil, fmt.Errorf("neither label_values nor query_result: %s", expr)
	}
	if len(texts) == 0 {
		return nil, errors.New("no choices")
	}
	if v.Regex == "" {
		return texts, nil
	}
	pattern := regexp.MustCompile(strings.Trim(v.Regex, "/"))
	if groups := pattern.SubexpNames()[1:]; !slices.Equal(groups, []string{""}) && !slices.Equal(groups, []string{"value", "text"}) {
		return nil, fmt.Errorf("%s: groups %q, want one, or value and text", v.Regex, groups)
	}
	values := make([]string, len(texts))
	for i, text := range texts {
		match := pattern.FindStringSubmatch(text)
		if match == nil {
			return nil, fmt.Errorf("%s does not match %s", v.Regex, text)
		}
		values[i] = match[max(1, pattern.SubexpIndex("value"))]
	}
	return values, nil
}

// checkChoices runs the queries for each choice of each variable: what comes is
// of that choice.
func checkChoices(t *testing.T, p prometheus, d *dashboard, options map[string][]string) {
	t.Helper()
	for name, values := range options {
		for _, value := range values {
			some := 0
			for _, q := range d.queries() {
				result, err := p.query(interpolate(t, d, q.expr, map[string]string{name: value}), time.Now())
				if err != nil {
					t.Errorf("%s, %s=%s: %v", q.where, name, value, err)
				}
				for _, s := range result {
					label, shown := s.Metric[name]
					if shown && label != value {
						t.Errorf("%s, %s=%s: came %s", q.where, name, value, label)
					}
					if shown {
						some++
					}
				}
			}
			if some == 0 {
				t.Errorf("no series when %s is %s", name, value)
			}
		}
	}
}

// TestReplicasAndShards runs the queries where one exporter watches the account,
// where two do the same, where three share its jobs, and where one in each of two
// clusters watches it: the overview is the same, for each cluster.
func TestReplicasAndShards(t *testing.T) {
	moment := time.Now()
	estate := simulator.Demo(1, func() time.Time { return moment })
	api := httptest.NewServer(estate)
	defer api.Close()
	exporter := buildExporter(t)
	watch := func(more map[string]string) []string {
		settings := map[string]string{
			"CAS_ENDPOINT": api.URL, "CAS_REQUESTS_PER_SECOND": "300",
			"ALIBABA_CLOUD_ACCESS_KEY_ID": simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": simulator.DemoAccessKeySecret,
		}
		maps.Copy(settings, more)
		return []string{startExporter(t, exporter, settings)}
	}
	shard := func(number string) []string {
		return watch(map[string]string{"CAS_SHARD": number, "CAS_TOTAL_SHARDS": "3"})
	}
	first, second := watch(nil), watch(nil)
	one := startPrometheus(t, scrape{job: "cas", targets: first})
	worlds := map[string]prometheus{
		// A labelmap gives replicas labels of all kinds.
		"two replicas": startPrometheus(t, scrape{job: "cas", targets: first, labels: "pod: a, hash: a1"}, scrape{job: "cas", targets: second, labels: "pod: b, version: v2"}),
		// Native histograms are scraped here, so that both kinds are queried.
		"three shards": startPrometheus(t, scrape{job: "cas", targets: slices.Concat(shard("0"), shard("1"), shard("2")), more: "    scrape_native_histograms: true\n"}),
		"two clusters": startPrometheus(t, scrape{job: "cas", targets: first, labels: "cluster: a"}, scrape{job: "cas", targets: second, labels: "cluster: b"}),
	}
	all := dashboards(t)
	overview := all["aliyun-cas-overview.json"]
	for _, q := range overview.queries() {
		expr := interpolate(t, overview, q.expr, nil)
		if waits(t, q.expr) || strings.Contains(expr, "ALERTS") { // when an alert fires is another moment in each
			continue
		}
		eventually(t, q.where, func() error {
			at := time.Now()
			want, err := stable(one, expr, at)
			if err != nil {
				return err
			}
			for world, p := range worlds {
				got, err := stable(p, expr, at)
				if err != nil {
					return err
				}
				if (got["a"] == nil) != (got["b"] == nil) {
					return fmt.Errorf("%s: only one of two clusters: %v", world, got)
				}
				for cluster, values := range got {
					if !maps.Equal(values, want[""]) {
						return fmt.Errorf("%s %s: got %v, want %v", world, cluster, values, want)
					}
				}
			}
			return nil
		})
	}
	checkFailed(t, estate, one, overview)
	worlds["one"] = one
	for world, p := range worlds {
		for _, q := range all["aliyun-cas-exporter.json"].queries() {
			eventually(t, world+": "+q.where, func() error {
				_, err := run(p, q, interpolate(t, all["aliyun-cas-exporter.json"], q.expr, nil), time.Now())
				if waits(t, q.expr) || strings.HasSuffix(q.expr, " > 0") { // nothing fails here
					return nil
				}
				return err
			})
		}
	}
}

// checkFailed compares the number of failed workers with the simulator's.
func checkFailed(t *testing.T, estate *simulator.Simulator, p prometheus, overview *dashboard) {
	t.Helper()
	failed := 0
	for _, job := range estate.Jobs() {
		for _, w := range estate.Workers(job.ID) {
			if w.Status == "error" || w.Status == "rollback_error" {
				failed++
			}
		}
	}
	for _, panel := range overview.Panels {
		if panel.Title != "Failed workers" {
			continue
		}
		got, err := stable(p, interpolate(t, overview, panel.Targets[0].Expr, nil), time.Now())
		repaired, _ := p.query("sum(aliyun_cas_deployment_superseded_workers)", time.Now())
		for _, s := range repaired {
			n, _ := strconv.Atoi(fmt.Sprint(s.Value[1]))
			failed -= n
		}
		if want := map[string]string{"map[job:cas]": fmt.Sprint(failed)}; err != nil || !maps.Equal(got[""], want) {
			t.Errorf("failed workers: got %v (%v), want %v", got, err, want)
		}
		return
	}
	t.Error("no panel counts failed workers")
}

// stable evaluates a query and returns its values by cluster and labels. Where the
// value is the moment of a poll, which differs between exporters, it is blanked.
func stable(p prometheus, expr string, at time.Time) (map[string]map[string]string, error) {
	result, err := p.query(expr, at)
	values := map[string]map[string]string{}
	ofPoll := regexp.MustCompile(`last_success|poll_last`).MatchString(expr)
	for _, s := range result {
		value, cluster := fmt.Sprint(s.Value[1]), s.Metric["cluster"]
		if ofPoll {
			value = "a moment"
		}
		delete(s.Metric, "cluster")
		if values[cluster] == nil {
			values[cluster] = map[string]string{}
		}
		values[cluster][fmt.Sprint(s.Metric)] = value
	}
	if err == nil && len(values) == 0 {
		err = errors.New("no series")
	}
	return values, err
}

// TestManyJobs: with more jobs than a person reads, and each in trouble, no panel
// draws more series than 50 or lists more rows than 200.
func TestManyJobs(t *testing.T) {
	const jobs = 210
	estate, began := simulator.New(simulator.Options{}), time.Now().Add(-time.Hour)
	for id := range int64(jobs) {
		at, status := began.Add(time.Duration(id)*time.Second), "success"
		if id == 0 {
			status = "processing"
		}
		worker := simulator.Worker{
			ID: 2*id + 1, Status: "error", CloudProduct: "SLB", RegionID: "cn-hangzhou", InstanceID: fmt.Sprint("lb-", id), Created: at, Modified: at,
		}
		stuck := worker
		stuck.ID, stuck.Status = 2*id+2, "processing"
		estate.PutJob(simulator.Job{
			ID: 8000 + id, Name: "renewal", Status: status, JobType: "user", CertType: "upload", Created: at, Modified: at, Start: at, End: at,
			Certificates: []simulator.Certificate{{ID: id + 1, Name: fmt.Sprint("cert-", id), CommonName: "www.example.com", NotAfter: at.AddDate(0, 3, 0)}},
		}, []simulator.Worker{worker, stuck})
	}
	api := httptest.NewServer(estate)
	defer api.Close()
	p := startPrometheus(t, scrape{job: "cas", targets: []string{startExporter(t, buildExporter(t), map[string]string{
		"CAS_ENDPOINT": api.URL, "CAS_REQUESTS_PER_SECOND": "500",
		"ALIBABA_CLOUD_ACCESS_KEY_ID": simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": simulator.DemoAccessKeySecret,
	})}})
	eventually(t, "all jobs are read", func() error {
		read, err := p.query("count(aliyun_cas_deployment_failed_worker_modified_timestamp_seconds)", time.Now())
		if err == nil && (len(read) == 0 || read[0].Value[1] != fmt.Sprint(jobs)) {
			err = fmt.Errorf("read: %v, want %d", read, jobs)
		}
		return err
	})
	d := dashboards(t)["aliyun-cas-overview.json"]
	for _, panel := range d.Panels {
		limit := 50
		if panel.Type == "table" {
			limit = 200
		}
		for _, target := range panel.Targets {
			if waits(t, target.Expr) {
				continue
			}
			eventually(t, panel.Title+" "+target.RefID, func() error {
				result, err := p.query(interpolate(t, d, target.Expr, nil), time.Now())
				if err == nil && (len(result) == 0 || len(result) > limit) {
					err = fmt.Errorf("%d series, want 1 to %d", len(result), limit)
				}
				return err
			})
		}
	}
}
