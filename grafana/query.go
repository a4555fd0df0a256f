package grafana

import (
	"fmt"
	"slices"
	"strings"
)

// Each of these lists the labels that tell apart what the name says. Replicas,
// restarts and upgrades of one exporter differ in other labels only: instance, pod,
// whatever a relabelling adds.
const (
	exporters = "cluster, namespace, job"
	accounts  = exporters + ", api_region, account"
	jobs      = accounts + ", job_id"
	groups    = jobs + ", cloud_product, region_id, status"
)

const (
	failedStatus  = `status=~"error|rollback_error"`
	runningStatus = `status=~"scheduling|processing"` // a job's statuses while it runs
)

const (
	alertsOfOurs = `alertname=~"AliyunCas.*"`
	notAfter     = "deployment_job_certificate_not_after_timestamp_seconds"
)

// catalog writes selectors. It knows the labels of each family, and the variables
// of one dashboard, each of which has the name of the label that it chooses by.
type catalog struct {
	labels    map[string][]string
	source    string // what tells the series of one family apart, besides its own labels
	variables []string
	unknown   []string // families that nobody exports
}

// family returns the full name of a family and its own labels.
func (c *catalog) family(name string) (string, []string) {
	if own, ok := c.labels["aliyun_cas_"+name]; ok {
		return "aliyun_cas_" + name, own
	}
	own, ok := foreign()[name]
	if !ok {
		c.unknown = append(c.unknown, name)
	}
	return name, own
}

// ruled is recorded as soon as a job was read: it tells that the rules are loaded.
const ruled = "job_id:aliyun_cas_deployment_job_last_success_timestamp_seconds:max"

// When the certificate expires that a host serves: as a prober says, and as recorded at
// the last good probe.
const (
	chainExpiry = "probe_ssl_last_chain_expiry_timestamp_seconds"
	servedLast  = "instance:aliyun_cas_served_certificate_not_after_timestamp_seconds:min"
)

// foreign returns families that the exporter does not list: those of every process,
// those of a prober, and those that Prometheus makes of the rules.
func foreign() map[string][]string {
	probe := []string{"account", "job_id", "cloud_product", "region_id"}
	return map[string][]string{
		"aliyun_cas_exporter_build_info": nil,
		"process_cpu_seconds_total":      nil, "process_resident_memory_bytes": nil, "process_start_time_seconds": nil,
		"ALERTS": nil, "ALERTS_FOR_STATE": nil, ruled: nil,
		"probe_success": probe, chainExpiry: probe, servedLast: probe,
	}
}

// series selects what a dashboard's variables choose of a family.
func (c *catalog) series(name string, matchers ...string) string {
	family, own := c.family(strings.TrimSuffix(name, "_bucket"))
	if strings.HasSuffix(name, "_bucket") {
		family += "_bucket"
	}
	all, orWithout := []string{}, ""
	if strings.HasPrefix(family, "ALERTS") { // an alert about all jobs concerns the chosen one
		own, orWithout = c.variables, "|"
	}
	for _, variable := range c.variables {
		value := "$" + variable
		if variable == "region_id" { // one of its values is a regular expression
			value = "${region_id:pipe}"
		}
		if strings.Contains(c.source, variable) || slices.Contains(own, variable) {
			all = append(all, fmt.Sprintf(`%s=~"%s%s"`, variable, value, orWithout))
		}
	}
	return family + "{" + strings.Join(append(all, matchers...), ", ") + "}"
}

// latest is a family with one series for each thing that it is about, however many
// replicas export it. To read recording rules instead, change this function.
func (c *catalog) latest(name string, matchers ...string) string {
	_, own := c.family(name)
	by := []string{c.source}
	if slices.Contains(own, "account") {
		by = append(by, "api_region", "account")
	}
	for _, label := range slices.Sorted(slices.Values(own)) {
		if !slices.Contains(by, label) {
			by = append(by, label)
		}
	}
	return fmt.Sprintf("max by (%s) (%s)", strings.Join(by, ", "), c.series(name, matchers...))
}

// failed counts failed workers, without those whose resource a later job has
// repaired. The label keeps these apart from the others, where there are any: a
// difference would read all workers twice.
func (c *catalog) failed(labels string) string {
	return fmt.Sprintf(`sum by (%s) (
  %s
  or label_replace(-%s, "repaired", "yes", "status", ".*")
)`, labels, c.latest("deployment_workers", failedStatus), c.latest("deployment_superseded_workers"))
}

// stuck counts the stuck workers of each job.
func (c *catalog) stuck() string {
	omitted := c.latest("deployment_stuck_workers_omitted")
	return fmt.Sprintf("(%s\n  + count by (%s) (%s)\n  or %s)", omitted, jobs, c.latest("deployment_stuck_worker_modified_timestamp_seconds"), omitted)
}

// known adds a value for jobs without a series in an expression because there is nothing
// to count. Jobs that were not read get none: they have no number of omitted workers.
func (c *catalog) known(expr, by string, none int) string {
	return fmt.Sprintf("%s\nor %d + 0 * count by (%s) (%s)", expr, none, by, c.latest("deployment_failed_workers_omitted"))
}

// named adds the label job_name to series about jobs; it is empty as long as the
// job's record was not read.
func (c *catalog) named(expr string) string { return c.namedBy(jobs, expr) }

// namedBy does so for series that know of their job what labels lists.
func (c *catalog) namedBy(labels, expr string) string {
	return fmt.Sprintf("%s\n* on (%[2]s) group_left (job_name) (\n  topk by (%[2]s) (1, %[3]s)\n  or on (%[2]s) %[4]s >= bool 0\n)",
		expr, labels, c.latest("deployment_job_info"), by("max", labels, c.series("deployment_job_up")))
}

// by is an aggregation.
func by(operator, labels, expr string) string {
	return fmt.Sprintf("%s by (%s) (%s)", operator, labels, expr)
}

// left is how many deployments an account has left.
func (c *catalog) left() string {
	return c.latest("deployment_quota_bought") + "\n- " + c.latest("deployment_quota_used")
}
