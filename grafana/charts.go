package grafana

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// timeline shows the status of jobs over time, and whether workers failed.
func (b *board) timeline() cog.Builder[dashboard.Panel] {
	var parts, names []string
	var states []state
	for i, s := range jobStates() {
		names = append(names, s.value)
		parts = append(parts, fmt.Sprintf("%d * %s", i+1, b.latest("deployment_job_status", fmt.Sprintf("status=%q", s.value))))
		states = append(states, state{fmt.Sprint(i + 1), s.text, s.colour}, state{fmt.Sprint(i + 11), s.text + ", workers failed", purple})
	}
	other := len(names) + 1
	parts = append(parts, fmt.Sprintf("%d * %s", other, b.latest("deployment_job_status", fmt.Sprintf("status!~%q", strings.Join(names, "|")))))
	states = append(states, state{fmt.Sprint(other), "another status", light}, state{fmt.Sprint(other + 10), "another status, workers failed", purple})
	// The set is that of the end of the time range: else a job would come and go.
	changed := fmt.Sprintf("max by (%s) (last_over_time(%s[$__range] @ end()))", jobs, b.series("deployment_job_modified_timestamp_seconds"))
	expr := fmt.Sprintf("(\n  max by (%s) (\n    %s\n  )\n  + (10 * (%s > bool 0) or 0 * %s)\n)",
		jobs, strings.Join(parts, "\n    or "), b.failed(jobs), b.latest("deployment_job_up"))
	return spans(panel{
		title: "Jobs over time", width: 24, height: 9, empty: noRows, states: states, links: jobLinks(idInSeries),
		about:   "Status of each job, and whether some of its workers failed. Marks show when jobs started and ended. Of more than 50 jobs, those that changed last; choose others above.",
		queries: []query{{b.named(expr) + fmt.Sprintf("\nand on (%s) topk(50, %s)", jobs, changed), jobName, overTime}},
	})
}

// certificates compares the certificates that expire first.
func (b *board) certificates() cog.Builder[dashboard.Panel] {
	return bars(panel{
		title: "Certificates by days to expiry", empty: "none known", unit: days, steps: expiry(),
		about:   "The twenty certificates that expire first, of those that these jobs deploy (NotAfterTime).",
		queries: []query{{fmt.Sprintf("sort(\n  bottomk(20, %s - time()) / 86400\n)", by("min", accounts+", cert_id, cert_name, common_name", b.latest(notAfter))), "{{common_name}} ({{cert_name}}) " + where, atEnd}},
	}).Decimals(1)
}

// quota shows how fast deployments are used up.
func (b *board) quota() cog.Builder[dashboard.Panel] {
	return dashed(lines(panel{
		title: "Deployments left over time", empty: unread, unit: count,
		about: "Deployments that each account bought and has not used, and those that it bought. Without any, jobs with uploaded certificates cannot run.",
		queries: []query{
			{b.left(), "left {{account}} " + where, overTime},
			{b.latest("deployment_quota_bought"), "bought {{account}} " + where, overTime},
		},
	}).LineInterpolation(common.LineInterpolationStepAfter), "/^bought /")
}

// api shows when the API answered.
func (b *board) api() cog.Builder[dashboard.Panel] {
	return spans(panel{
		title: "API of each account", empty: unread,
		about:   "Whether the last request was answered without an error of transport, credentials or server.",
		states:  []state{{"1", "answers", sky}, {"0", "fails", vermilion}},
		queries: []query{{b.latest("api_up"), "{{account}} {{api_region}} " + where, overTime}},
	})
}

// age shows how old the data is.
func (b *board) age() cog.Builder[dashboard.Panel] {
	return dashed(lines(panel{
		title: "Age of the data", empty: unread, unit: units.Seconds,
		about: "Age of the data that was confirmed longest ago, and of the last poll, beside the poll interval. A job that is not confirmed for CAS_MAX_STALENESS is no longer counted.",
		queries: []query{
			{by("max", accounts, "time() - "+b.latest("deployment_job_last_success_timestamp_seconds")), "oldest data {{account}} " + where, overTime},
			{"time() - " + b.latest("poll_last_timestamp_seconds"), "last poll {{account}} " + where, overTime},
			{"max(" + b.latest("poll_interval_seconds") + ")", "poll interval", overTime},
		},
	}), "poll interval")
}

// readable shows which jobs could be read, and when.
func (b *board) readable() cog.Builder[dashboard.Panel] {
	up := b.series("deployment_job_up")
	least := fmt.Sprintf("bottomk(50, max by (%s) (avg_over_time(%s[$__range] @ end())))", jobs, up)
	return spans(panel{
		title: "Polls of each job", empty: "no job is watched, or no exporter is scraped", links: jobLinks(idInSeries),
		about:   "Whether the last poll of each job succeeded. While polls fail, the job's numbers are those of the last good sweep. Of more than 50 jobs, those that were read least; choose others above.",
		states:  []state{{"1", "good", sky}, {"0", "failed", vermilion}},
		queries: []query{{b.named(b.latest("deployment_job_up")) + fmt.Sprintf("\nand on (%s) %s", jobs, least), jobName, overTime}},
	})
}
