package grafana

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// overview is the dashboard of the deployments.
func overview(labels map[string][]string) *board {
	c := &catalog{labels: labels, source: exporters}
	b := newBoard("aliyun-cas-overview", "Alibaba Cloud CAS: certificate deployments",
		"Is a rollout in trouble, where, since when, and is this data fresh? Right for one exporter, for identical replicas and for shards. Colours: Okabe and Ito.",
		c, append(scraped(),
			variable{"job_id", "Job", "Deployment jobs by id and name, the newest first.", "deployment_job_up"},
			variable{"cloud_product", "Product", "Products that the chosen jobs deploy to (CloudProduct).", "deployment_workers"},
			variable{"region_id", "Region", "Regions that the chosen jobs deploy to; (none)? is a product without a region.", "deployment_workers"},
		)...)
	b.Annotation(b.mark("Job started", "start", sky)).Annotation(b.mark("Job ended", "end", orange))
	b.row("Now", b.numbers()...)
	b.row("Firing alerts", b.alerts())
	b.row("Jobs", b.jobs(), b.timeline())
	b.row("Resources that failed or are stuck", b.failedWorkers(), b.stuckWorkers(), b.places(), b.statuses())
	b.row("Certificates and quota", b.certificates(), b.quota())
	b.row("Is this data fresh?", b.api(), b.apiErrors(), b.age(), b.readable())
	b.folded("Served", b.served()...)
	b.folded("The last 30 days", b.products())
	return b
}

// mark is an annotation at a time of each job.
func (b *board) mark(name, of, colour string) *dashboard.AnnotationQueryBuilder {
	expr := "1000 * " + b.latest("deployment_job_"+of+"_timestamp_seconds") + " >= $__from"
	return dashboard.NewAnnotationQueryBuilder().Name(name).Datasource(source()).Enable(true).IconColor(colour).
		TitleFormat(name + ": {{job_name}} ({{job_id}})").TextFormat("").TagKeys("account").UseValueForTime(true).
		Target(query{b.named("(" + expr + ")"), "", overTime}.build("Anno").Interval("1m"))
}

// cause is a state of the data, and the expression that detects it.
type cause struct{ text, colour, expr string }

// freshness returns the states of the data of a group of exporters, the one that
// explains the others first.
func (b *board) freshness() []cause {
	interval, polled := b.latest("poll_interval_seconds"), b.latest("poll_last_timestamp_seconds")
	return []cause{
		{"not polled yet", orange, interval + " unless " + polled},
		{"API fails", vermilion, b.latest("api_up") + " == 0"},
		{"poll overdue", vermilion, fmt.Sprintf("time() - %s > 3 * %s", polled, interval)},
		{"listing fails", orange, b.latest("discovery_up") + " == 0"},
		{"some jobs fail", orange, b.latest("deployment_job_up") + " == 0"},
		{"fresh", sky, interval},
	}
}

// numbers returns a panel with the state, and one with what the state leaves out.
func (b *board) numbers() []cog.Builder[dashboard.Panel] {
	var parts []string
	var states []state
	for i, cause := range b.freshness() {
		states = append(states, state{fmt.Sprint(i), cause.text, cause.colour})
		parts = append(parts, fmt.Sprintf("%d + 0 * count by (%s) (%s)", i, exporters, cause.expr))
	}
	trouble := []step{{0, sky}, {1, vermilion}}
	notice := []step{{0, sky}, {1, orange}}
	none := []state{{"-1", "none", sky}}
	running := fmt.Sprintf("and on (%s) %s == 1", jobs, b.latest("deployment_job_status", runningStatus))
	workers := b.latest("deployment_workers")
	done := fmt.Sprintf("sum by (%s) (%s %s)\n/ sum by (%[1]s) (%[4]s %[3]s)", exporters, b.latest("deployment_workers", `status="success"`), running, workers)
	oldest := func(family, and string) string { return "time() - min(" + b.latest(family) + and + ")" }
	line := func(width, height uint32, legend string) func(title, about, expr, unit string, steps []step, states ...state) cog.Builder[dashboard.Panel] {
		return func(title, about, expr, unit string, steps []step, states ...state) cog.Builder[dashboard.Panel] {
			return number(panel{
				title: title, about: about, empty: unread, unit: unit, width: width, height: height, steps: steps, states: states,
				queries: []query{{expr, legend, atEnd}},
			})
		}
	}
	each, worst, rest := line(3, 4, where), line(3, 4, ""), line(6, 3, where)
	return []cog.Builder[dashboard.Panel]{
		number(panel{
			title: "Data", width: 3, empty: "no exporter is scraped", states: states,
			about:   "Whether the numbers here are those of now. Where a job cannot be read, its last good numbers are shown until they are too old. Then they disappear.",
			queries: []query{{strings.Join(parts, "\nor "), where, atEnd}},
		}),
		number(panel{
			title: "Alerts", width: 3, empty: "no job was read, or rules.yml is not loaded", unit: count, steps: trouble,
			about:   "Alerts of the project that fire.",
			queries: []query{{by("count", exporters, b.series("ALERTS", alertsOfOurs, `alertstate="firing"`)) + "\nor 0 * " + by("count", exporters, b.series(ruled)), where, atEnd}},
		}),
		each("Failed workers", "Workers in error or rollback_error of what is chosen above, without those whose resource a later job has repaired.",
			b.known(b.failed(exporters), exporters, 0), count, trouble),
		worst("Oldest failure", "How long ago the worker that failed first was last modified: since when the trouble lasts.",
			b.known(oldest("deployment_workers_oldest_modified_timestamp_seconds", fmt.Sprintf(" and on (%s) %s > 0", groups, b.failed(groups))), "", -1), units.Seconds, []step{{0, vermilion}}, none...),
		each("Stuck workers", "Workers that have not moved for CAS_STUCK_AFTER, in a status that passes, of jobs that run or have ended.",
			b.known(by("sum", exporters, b.stuck()), exporters, 0), count, trouble),
		worst("Oldest stuck worker", "How long the worker that is stuck longest has not moved.",
			b.known(oldest("deployment_stuck_worker_modified_timestamp_seconds", ""), "", -1), units.Seconds, []step{{0, vermilion}}, none...),
		worst("Next expiry", "Days until the first certificate expires that one of these jobs deploys.",
			fmt.Sprintf("(min(%s) - time()) / 86400", b.latest(notAfter)), days, expiry()),
		worst("Deployments left", "Deployments that the account bought and has not used (BuyCount less UseCount); of several accounts the lowest number. Without any, jobs with uploaded certificates cannot run.",
			"min("+b.left()+")", count, []step{{0, vermilion}, {1, orange}, {20, sky}}),
		rest("Done in running jobs", "Share of workers in success, of the jobs that are scheduling or processing.",
			b.known(done, exporters, -1), units.PercentUnit, nil, state{"-1", "no job runs", sky}),
		rest("Unreadable jobs", "Jobs whose last poll failed on every exporter that watches them.",
			fmt.Sprintf("sum by (%s) (1 - %s)", exporters, b.latest("deployment_job_up")), count, trouble),
		rest("Repaired failures", "Failed workers that are not counted here, because a later job deployed to their resource.",
			b.known(by("sum", exporters, b.latest("deployment_superseded_workers")), exporters, 0), count, nil),
		rest("Not listed below", "Failed and stuck workers without a row below: beyond CAS_FAILED_WORKER_LIMIT of their job, or without a readable time.",
			by("sum", exporters, b.latest("deployment_failed_workers_omitted"))+"\n+ ("+
				b.known(by("sum", exporters, b.latest("deployment_stuck_workers_omitted")), exporters, 0)+")", count, notice),
	}
}

// statuses shows how a rollout proceeds.
func (b *board) statuses() cog.Builder[dashboard.Panel] {
	p := lines(panel{
		title: "Workers by status", height: 9, unit: count, empty: unread,
		about:   "All workers chosen above, on a logarithmic axis, so that one failure shows beside a thousand successes.",
		queries: []query{{by("sum", exporters+", status", b.latest("deployment_workers")), "{{status}} " + where, overTime}},
	}).LineInterpolation(common.LineInterpolationStepAfter).
		ScaleDistribution(common.NewScaleDistributionConfigBuilder().Type(common.ScaleDistributionSymlog).Log(10).LinearThreshold(1)).
		Legend(legend(true).DisplayMode(common.LegendDisplayModeTable).Placement(common.LegendPlacementRight).Calcs([]string{"lastNotNull"}))
	for _, s := range []struct{ status, colour string }{
		{"editing", dark},
		{"pending", yellow},
		{"scheduling", sky},
		{"processing", blue},
		{"success", green},
		{"error", vermilion},
		{"rollback", light},
		{"rollback_success", orange},
		{"rollback_error", purple},
	} {
		p = p.OverrideByRegexp("/^"+s.status+" /", []dashboard.DynamicConfigValue{
			{Id: "color", Value: dashboard.FieldColor{Mode: dashboard.FieldColorModeIdFixed, FixedColor: &s.colour}},
		})
	}
	return p
}
