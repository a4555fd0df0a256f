package grafana

import (
	"fmt"
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// alerts lists what fires, from the series that Prometheus makes of alerts.
func (b *board) alerts() cog.Builder[dashboard.Panel] {
	labels := "alertname, severity, " + groups + ", common_name, reason"
	since := fmt.Sprintf(`label_replace(
  1000 * topk(200, max by (%s) (%s and ignoring (alertstate) %s)),
  "runbook", "$1", "alertname", "(.+)"
)`, labels, b.series("ALERTS_FOR_STATE", alertsOfOurs), b.series("ALERTS", alertsOfOurs, `alertstate="firing"`))
	return rows(panel{
		title: "Firing alerts", width: 24, height: 6, sorted: "-Since", empty: "none, if Alerts shows a number",
		about: "Alerts that fire, the 200 newest, and since when their cause lasts. A click opens the runbook; one on a job id shows the job. The texts of the alerts are in Alertmanager.",
		links: []link{{"Open the runbook", "${exporter_url}/runbooks#${__data.fields.Runbook}", true}},
	}, slices.Concat([]column{
		{title: "Since", expr: b.named(since) + fmt.Sprintf("\nor on (%s) %s", labels, since), unit: moments},
		{title: "Severity", label: "severity", states: []state{{"critical", "critical", vermilion}, {"warning", "warning", orange}}},
		{title: "Alert", label: "alertname"},
		{title: "Job", label: "job_name"},
		{title: "Job ID", label: "job_id", links: jobLinks(idInRow)},
		{title: "Product", label: "cloud_product"},
		{title: "Region", label: "region_id"},
		{title: "Status", label: "status"},
		{title: "Certificate", label: "common_name"},
		{title: "Reason", label: "reason"},
	}, place(), []column{{title: "Runbook", label: "runbook"}})...).
		// The anchors of the runbooks are in lower case.
		WithTransformation(dashboard.DataTransformerConfig{Id: "formatString", Options: map[string]string{"stringField": "Runbook", "outputFormat": "Lower Case"}})
}

// jobs lists the jobs with all that is known of them.
func (b *board) jobs() cog.Builder[dashboard.Panel] {
	instant := func(of string) string { return b.latest("deployment_job_" + of + "_timestamp_seconds") }
	newest := fmt.Sprintf("and on (%s) topk(200, %s or 1e12 + %s)", jobs, instant("created"), b.latest("deployment_job_up"))
	listed := func(expr string) string { return expr + "\n" + newest }
	status := b.latest("deployment_job_status")
	first := fmt.Sprintf("bottomk by (%s) (1, %s)", jobs, by("max", jobs+", common_name", b.latest(notAfter)))
	took := fmt.Sprintf("(\n  %s - %s\n  or time() - %[2]s and on (%s) %s == 1\n)", instant("end"), instant("start"), jobs, b.latest("deployment_job_status", runningStatus))
	done := by("sum", jobs, b.latest("deployment_workers", `status="success"`)) + "\n/ " + by("sum", jobs, b.latest("deployment_workers"))
	bad, notice := []step{{0, clear}, {1, vermilion}}, []step{{0, clear}, {1, orange}}
	return rows(panel{
		title: "Jobs, the newest first", width: 24, height: 10, sorted: "-Created", empty: noRows, links: jobLinks(idInRow),
		about: "The 200 newest jobs, with their first certificate to expire. CAS calls a job success although workers of it failed. A click on a row shows the job alone, or in the console.",
	}, slices.Concat([]column{
		{expr: listed(status + " == 1")},
		{title: "Status", label: "status", states: jobStates()},
		{title: "Failed", expr: listed("(" + b.known(b.failed(jobs), jobs, 0) + ")"), unit: count, steps: bad},
		{title: "Stuck", expr: listed(b.stuck()), unit: count, steps: bad},
		{title: "Workers", expr: listed(b.latest("deployment_job_workers")), unit: count},
		{title: "Done", expr: listed("(" + done + ")"), unit: units.PercentUnit},
		{expr: listed(by("max", jobs+", job_name, job_type", b.latest("deployment_job_info")))},
		{title: "Job", label: "job_name"},
		{title: "Job ID", label: "job_id"},
		{title: "Type", label: "job_type"},
		{title: "Created", expr: listed("1000 * " + instant("created")), unit: moments},
		{title: "Start", expr: listed("1000 * " + instant("start")), unit: moments},
		{title: "End", expr: listed("1000 * " + instant("end")), unit: moments},
		{title: "Duration", expr: listed(took), unit: units.Seconds},
		{title: "Certificate", label: "common_name"},
		{title: "Days left", expr: listed("(" + first + " - time()) / 86400"), unit: days, steps: expiry()},
		{title: "Rolled back", expr: listed(b.latest("deployment_job_rolled_back")), states: []state{{"0", "no", clear}, {"1", "yes", orange}}},
		{title: "Last poll", expr: listed(b.latest("deployment_job_up")), states: []state{{"0", "failed", vermilion}, {"1", "good", clear}}},
		{title: "Repaired", expr: listed(by("sum", jobs, b.latest("deployment_superseded_workers"))), unit: count, steps: notice},
	}, place())...)
}

// worker returns the columns that identify a resource.
func worker() []column {
	return slices.Concat([]column{
		{title: "Status", label: "status"},
		{title: "Product", label: "cloud_product"},
		{title: "Region", label: "region_id"},
		{title: "Domain", label: "resource_domain"},
		{title: "Instance", label: "instance_id"},
		{title: "Listener", label: "listener_id"},
		{title: "Port", label: "port"},
		{title: "Certificate", label: "cert_name"},
		{title: "Job", label: "job_name"},
		{title: "Job ID", label: "job_id"},
		{title: "Worker ID", label: "worker_id"},
	}, place())
}

// workerTable lists the workers of a family with a time for each.
func (b *board) workerTable(p panel, family, and string) cog.Builder[dashboard.Panel] {
	p.width, p.height, p.empty, p.sorted, p.links = 24, 9, noRows, "Since", jobLinks(idInRow)
	oldest := fmt.Sprintf("bottomk(200, %s%s)", b.latest(family), and)
	return rows(p, slices.Concat([]column{
		{title: "Since", expr: b.named("1000 * " + oldest), unit: moments},
		{title: "For", expr: b.named("(time() - " + oldest + ")"), unit: units.Seconds},
	}, worker())...)
}

func (b *board) failedWorkers() cog.Builder[dashboard.Panel] {
	return b.workerTable(panel{
		title: "Failed workers, oldest first",
		about: "The resource of each failed worker, the 200 oldest, without groups of a job, product, region and status that a later job has repaired as a whole. CAS gives no reason; the runbooks list the usual ones.",
	}, "deployment_failed_worker_modified_timestamp_seconds", fmt.Sprintf("\n  and on (%s) %s > 0", groups, b.failed(groups)))
}

func (b *board) stuckWorkers() cog.Builder[dashboard.Panel] {
	return b.workerTable(panel{
		title: "Stuck workers, oldest first",
		about: "The resource of each worker that has not moved for CAS_STUCK_AFTER, in a status that passes within minutes: the 200 oldest.",
	}, "deployment_stuck_worker_modified_timestamp_seconds", "")
}

// places says where workers failed.
func (b *board) places() cog.Builder[dashboard.Panel] {
	places := exporters + ", cloud_product, region_id"
	anywhere := func(expr string) string {
		return fmt.Sprintf("label_replace(\n  %s,\n  \"region_id\", \"(none)?\", \"region_id\", \"\"\n)", expr)
	}
	oldest := fmt.Sprintf("%s and on (%s) %s > 0", b.latest("deployment_workers_oldest_modified_timestamp_seconds"), groups, b.failed(groups))
	return rows(panel{
		title: "Where workers failed", height: 9, sorted: "-Failed", empty: noRows,
		about: "Failed workers, all workers and the oldest failure of each product and region. A click on a row chooses them above. Products without a region, such as CDN, are shown under (none)?, which is also their value in the region filter.",
		links: []link{{"Choose this product and region", chosen + "&${job_id:queryparam}&var-cloud_product=${__data.fields.Product:percentencode}&var-region_id=${__data.fields.Region:percentencode}", false}},
	}, slices.Concat([]column{
		{title: "Product", label: "cloud_product"},
		{title: "Region", label: "region_id"},
		{title: "Failed", expr: anywhere(b.failed(places)), unit: count, steps: []step{{0, clear}, {1, vermilion}}},
		{title: "Workers", expr: anywhere(by("sum", places, b.latest("deployment_workers"))), unit: count},
		{title: "Oldest failure", expr: anywhere("1000 * " + by("min", places, oldest)), unit: moments},
	}, place()[2:])...)
}

// products shows which product fails most. A job's numbers stay as long as it is watched,
// so one sample an hour sees every failure, an hour late at most.
func (b *board) products() cog.Builder[dashboard.Panel] {
	ofProduct := jobs + ", cloud_product"
	most := func(matchers ...string) string {
		each := by("sum", ofProduct, b.latest("deployment_workers", matchers...))
		return fmt.Sprintf("sum by (%s, cloud_product) (\n  max_over_time((%s)[30d:1h])\n  or %[2]s\n)", exporters, each)
	}
	return rows(panel{
		title: "Which product fails most", width: 24, height: 9, sorted: "-Failed", empty: noRows,
		about: "Workers of all jobs of the last 30 days that failed, whether repaired or not, as far as this Prometheus remembers. A failure of the last hour may be missing.",
	}, slices.Concat([]column{
		{title: "Product", label: "cloud_product"},
		{title: "Failed", expr: most(failedStatus), unit: count, steps: []step{{0, clear}, {1, vermilion}}},
		{title: "Workers", expr: most(), unit: count},
	}, place()[2:])...)
}

// apiErrors lists the last error of each action.
func (b *board) apiErrors() cog.Builder[dashboard.Panel] {
	return rows(panel{
		title: "Errors of the API", sorted: "Action", empty: noRows,
		about: "The last error of each action that has not succeeded since.",
		links: []link{{"Open the runbooks", "${exporter_url}/runbooks", true}},
	}, slices.Concat([]column{
		{expr: b.latest("api_last_error_info")},
		{title: "Action", label: "action"},
		{title: "Reason", label: "reason"},
		{title: "Code", label: "code"},
	}, place())...)
}
