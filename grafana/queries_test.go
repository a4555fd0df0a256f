package grafana_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// labelOf maps the variables to the labels that they choose by.
func labelOf() map[string]string {
	return map[string]string{
		"account": "account", "job": "job_id", "product": "cloud_product", "region": "region_id", "instance": "instance",
	}
}

// interpolate replaces variables as Grafana does: by the chosen value, or by the
// regular expression of All.
func interpolate(t *testing.T, d *dashboard, query string, chosen map[string]string) string {
	t.Helper()
	builtin := map[string]string{"__rate_interval": "20s", "__range": "2m", "__from": "0"}
	return regexp.MustCompile(`\$(\w+)|\$\{(\w+)(:pipe)?\}`).ReplaceAllStringFunc(query, func(reference string) string {
		name := strings.TrimSuffix(strings.Trim(reference, "${}"), ":pipe")
		if value, ok := builtin[name]; ok {
			return value
		}
		i := slices.IndexFunc(d.Templating.List, func(v variable) bool { return v.Name == name })
		if i < 0 {
			t.Errorf("%s: there is no variable %s", query, reference)
			return reference
		}
		value, ok := chosen[name]
		switch {
		case !ok:
			return d.Templating.List[i].AllValue
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
	labels      []string // that a legend, a column or a link shows
}

var reference = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}|__field\.labels\.(\w+)`)

// queries returns the queries of panels and annotations.
func (d *dashboard) queries() []query {
	var all []query
	for _, p := range d.Panels {
		for _, t := range p.Targets {
			q := query{p.Title + " " + t.RefID, t.Expr, t.Instant, nil}
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
						q.labels = append(q.labels, column)
					}
				}
			}
			all = append(all, q)
		}
	}
	for _, a := range d.Annotations.List {
		if a.BuiltIn == 0 {
			q := query{"annotation " + a.Name, a.Target.Expr, false, nil}
			for _, match := range reference.FindAllStringSubmatch(a.TitleFormat, -1) {
				q.labels = append(q.labels, match[1])
			}
			all = append(all, q)
		}
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
	p := startPrometheus(t,
		scrape{job: "cas", targets: []string{startExporter(t, exporter, demo, "--demo"), startExporter(t, exporter, dead)}},
		scrape{job: "named", targets: []string{startExporter(t, exporter, demo, "--demo")}, more: `    scrape_native_histograms: true
    always_scrape_classic_histograms: true
    metric_relabel_configs:
      - {source_labels: [__name__], regex: aliyun_cas_(deployment|discovery|poll|api)_.*, target_label: account, replacement: prod}
`})
	count := 0
	for file, d := range dashboards(t) {
		options := map[string][]string{}
		for _, v := range d.Templating.List[1:] {
			count++
			eventually(t, file+": variable "+v.Name, func() (err error) {
				options[v.Name], err = choices(p, v, interpolate(t, d, v.Query, nil))
				return err
			})
		}
		for _, q := range d.queries() {
			count++
			eventually(t, file+": "+q.where, func() error {
				result, err := run(p, q, interpolate(t, d, q.expr, nil), time.Now())
				if err != nil {
					return err
				}
				for _, label := range q.labels {
					if !slices.ContainsFunc(result, func(s sample) bool { return s.Metric[label] != "" }) {
						return fmt.Errorf("no series has the label %s that is shown", label)
					}
				}
				return nil
			})
		}
		if !t.Failed() { // else some variable has no choices
			t.Run(file, func(t *testing.T) { checkChoices(t, p, d, options) })
		}
	}
	if !t.Failed() {
		t.Logf("%d queries of panels, annotations and variables returned data", count)
	}
	for file, d := range dashboards(t) {
		t.Run("names in "+file, func(t *testing.T) { checkNames(t, p, d) })
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
					label, shown := s.Metric[labelOf()[name]]
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
// where two do the same, and where three share its jobs: the overview is the same.
func TestReplicasAndShards(t *testing.T) {
	moment := time.Now()
	estate := simulator.Demo(1, func() time.Time { return moment })
	api := httptest.NewServer(estate)
	defer api.Close()
	exporter := buildExporter(t)
	watch := func(more map[string]string) string {
		settings := map[string]string{
			"CAS_ENDPOINT": api.URL, "CAS_REQUESTS_PER_SECOND": "300",
			"ALIBABA_CLOUD_ACCESS_KEY_ID": simulator.DemoAccessKeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": simulator.DemoAccessKeySecret,
		}
		maps.Copy(settings, more)
		return startExporter(t, exporter, settings)
	}
	shard := func(number string) string {
		return watch(map[string]string{"CAS_SHARD": number, "CAS_TOTAL_SHARDS": "3"})
	}
	first := watch(nil)
	one := startPrometheus(t, scrape{job: "cas", targets: []string{first}})
	two := startPrometheus(t, scrape{job: "cas", targets: []string{first, watch(nil)}})
	// Native histograms are scraped here, so that both kinds are queried.
	three := startPrometheus(t, scrape{job: "cas", targets: []string{shard("0"), shard("1"), shard("2")}, more: "    scrape_native_histograms: true\n"})

	all := dashboards(t)
	overview := all["aliyun-cas-overview.json"]
	for _, q := range overview.queries() {
		expr := interpolate(t, overview, q.expr, nil)
		eventually(t, q.where, func() error {
			at := time.Now()
			want, err := stable(one, expr, at)
			if err != nil {
				return err
			}
			for world, p := range map[string]prometheus{"two replicas": two, "three shards": three} {
				got, err := stable(p, expr, at)
				if err != nil {
					return err
				}
				if !maps.Equal(got, want) {
					return fmt.Errorf("%s: got %v, want %v", world, got, want)
				}
			}
			return nil
		})
	}
	failed := 0
	for _, job := range estate.Jobs() {
		for _, w := range estate.Workers(job.ID) {
			if w.Status == "error" || w.Status == "rollback_error" {
				failed++
			}
		}
	}
	for world, p := range map[string]prometheus{"one": one, "two replicas": two, "three shards": three} {
		got, err := stable(p, interpolate(t, overview, overview.Panels[0].Targets[0].Expr, nil), time.Now())
		if want := map[string]string{"map[]": fmt.Sprint(failed)}; err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: failed workers: got %v (%v), want %v", world, got, err, want)
		}
		for _, q := range all["aliyun-cas-exporter.json"].queries() {
			eventually(t, world+": "+q.where, func() error {
				_, err := run(p, q, interpolate(t, all["aliyun-cas-exporter.json"], q.expr, nil), time.Now())
				return err
			})
		}
	}
}

// stable evaluates a query and returns its values by their labels. Where the
// value is the moment of a poll, which differs between exporters, it is blanked.
func stable(p prometheus, expr string, at time.Time) (map[string]string, error) {
	result, err := p.query(expr, at)
	values := map[string]string{}
	ofPoll := regexp.MustCompile(`last_success|poll_last`).MatchString(expr)
	for _, s := range result {
		value := fmt.Sprint(s.Value[1])
		if ofPoll {
			value = "a moment"
		}
		values[fmt.Sprint(s.Metric)] = value
	}
	if err == nil && len(values) == 0 && !strings.Contains(expr, "scheduling|processing") {
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
