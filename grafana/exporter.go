package grafana

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

const (
	noExporter = "no exporter is scraped"
	process    = exporters + ", instance"
	ofProcess  = "{{instance}} {{account}} " + where
)

// exporter is the dashboard of the exporters themselves.
func exporter(labels map[string][]string) *board {
	c := &catalog{labels: labels, source: process}
	b := newBoard("aliyun-cas-exporter", "Alibaba Cloud CAS: exporter",
		"The exporters' own health and their budget of API requests. Right for one exporter, for identical replicas and for shards. Colours: Okabe and Ito.",
		c, append(scraped(), variable{"instance", "Exporter", "Exporters, as Prometheus names them.", "poll_interval_seconds"})...)
	b.row("Now", b.health()...)
	b.row("Requests to the API", b.requests(), b.budget(), b.failures("Failed requests by reason", "api_request_failures_total",
		"HTTP requests that failed in each slice of time. A retry that succeeds hides a failure from the polls, not from here."),
		b.failures("Failed polls by reason", "poll_failures_total",
			"Polls of a job, and listings, that failed after all retries: data that was not refreshed."),
		b.latency(), b.latencyByAction(), b.waiting())
	b.row("Polls", b.durations(), b.skipped(), b.listing(), b.shares())
	b.row("Processes", b.versions(), b.memory(), b.cpu())
	return b
}

// needed is the share of its allowed requests that a process needs.
func (b *board) needed(family string) string {
	return fmt.Sprintf("%s\n/ (%s * %s)", by("sum", process+", api_region, account", b.latest(family)),
		b.latest("poll_interval_seconds"), b.latest("api_rate_limit_requests_per_second"))
}

func (b *board) health() []cog.Builder[dashboard.Panel] {
	sum := func(family string) string {
		return by("sum", exporters, "rate("+b.series(family)+"[$__rate_interval])")
	}
	demo, build := by("max", exporters, b.series("demo")), by("max", exporters, b.series("aliyun_cas_exporter_build_info"))
	missing := by("max", exporters, b.everywhere("total_shards")) + "\n- " + by("count", exporters, by("count", exporters+", shard", b.everywhere("shard_info")))
	differ := fmt.Sprintf("sum by (%s) (abs(%s\n  - %s))", exporters, b.latest("deployment_job_workers"), b.latest("deployment_job_reported_workers"))
	line := func(title, about, empty, expr, unit string, steps []step, states ...state) cog.Builder[dashboard.Panel] {
		return number(panel{title: title, about: about, empty: empty, unit: unit, width: 3, steps: steps, states: states, queries: []query{{expr, where, atEnd}}})
	}
	return []cog.Builder[dashboard.Panel]{
		line("Exporters", "Processes that Prometheus scrapes.", "none", by("count", exporters, b.series("aliyun_cas_exporter_build_info")), count, []step{{0, sky}}),
		line("Missing shards", "Shards that CAS_TOTAL_SHARDS promises and no exporter serves, whichever exporters are chosen above: nobody watches their jobs.",
			noExporter, missing, count, []step{{0, sky}, {1, vermilion}}),
		line("Age of the last poll", "Time since the poll that ended longest ago, in poll intervals. About 1 is normal.", "never polled, or not scraped",
			by("max", exporters, "(time() - "+b.latest("poll_last_timestamp_seconds")+") / "+b.latest("poll_interval_seconds")), "suffix: polls", []step{{0, sky}, {2, orange}, {3, vermilion}}),
		line("Budget needed", "Requests that a poll needs in the long run, as a share of those that the rate limit allows in a poll interval; by the process that needs most. Above 100 % the data ages.",
			"not yet known", by("max", exporters, b.needed("poll_expected_api_requests")), units.PercentUnit, []step{{0, sky}, {.8, orange}, {1, vermilion}}),
		line("Failed requests", "Share of the HTTP requests that failed, retries included.", "no request lately",
			sum("api_request_failures_total")+"\n/ "+sum("api_requests_total"), units.PercentUnit, []step{{0, sky}, {.01, orange}, {.1, vermilion}}),
		line("Clock skew", "How far the API's clock is ahead of this exporter's, where they differ most. Above 15 minutes the API refuses requests.", "not yet known",
			by("max", exporters, "abs("+b.latest("api_clock_skew_seconds")+")"), units.Seconds, []step{{0, sky}, {60, orange}, {600, vermilion}}),
		line("Off the API's count", "Workers by which our sweeps and the API's own counts (WorkerCount) differ. It is not 0 for a moment while a job changes.", "not compared",
			differ, count, []step{{0, sky}, {1, orange}}),
		line("Numbers come from", "The real API, or in demo mode the embedded simulator.", noExporter, demo+" or 0 * "+build, "", nil,
			state{"0", "the API", sky}, state{"1", "the demo", orange}),
	}
}

// everywhere selects a family of all exporters, whichever are chosen: a shard may be
// missing among all only, and a limit is that of all.
func (b *board) everywhere(family string) string {
	all := &catalog{labels: b.labels, source: b.source, variables: b.variables[:len(b.variables)-1]}
	return all.series(family)
}

func (b *board) requests() cog.Builder[dashboard.Panel] {
	return dashed(lines(panel{
		title: "Requests a second", empty: noExporter, unit: units.RequestsPerSecond,
		about: "HTTP requests to CAS by action, and the sum of our own limits. The API's quota of ten a second for each action is the main account's, shared with the console and Terraform.",
		queries: []query{
			{by("sum", exporters+", action", "rate("+b.series("api_requests_total")+"[$__rate_interval])"), "{{action}} " + where, overTime},
			{by("sum", exporters, b.series("api_rate_limit_requests_per_second")), "limit " + where, overTime},
		},
	}), "/^limit /")
}

func (b *board) budget() cog.Builder[dashboard.Panel] {
	return lines(panel{
		title: "Budget", empty: "not yet known", unit: units.PercentUnit,
		about: "Requests of a poll as a share of those that the rate limit allows in a poll interval: what is needed in the long run, and what the last poll took. Above 100 % the data ages.",
		queries: []query{
			{b.needed("poll_expected_api_requests"), "needed " + ofProcess, overTime},
			{b.needed("poll_api_requests"), "last poll " + ofProcess, overTime},
		},
	})
}

func (b *board) failures(title, family, about string) cog.Builder[dashboard.Panel] {
	return history(panel{
		title: title, about: about, empty: "none failed, if an exporter is scraped", unit: count, steps: []step{{0, clear}, {.5, orange}, {10, vermilion}},
		queries: []query{{by("sum", exporters+", reason", "increase("+b.series(family)+"[$__rate_interval])") + " > 0", "{{reason}} " + where, overTime}},
	})
}

// quantile works on classic and on native histograms.
func (b *board) quantile(q, of string) string {
	rate := func(family string) string { return "rate(" + b.series(family) + "[$__rate_interval])" }
	const family = "api_request_duration_seconds"
	return fmt.Sprintf("histogram_quantile(%s, %s)\nor\nhistogram_quantile(%[1]s, %[3]s)",
		q, by("sum", strings.TrimPrefix(of+", le", ", "), rate(family+"_bucket")), by("sum", of, rate(family)))
}

func (b *board) latency() cog.Builder[dashboard.Panel] {
	return lines(panel{
		title: "Latency", width: 8, empty: "no request", unit: units.Seconds,
		about:   "Time of one HTTP request, from signing to the last byte, all actions together.",
		queries: []query{{b.quantile(".5", ""), "median", overTime}, {b.quantile(".9", ""), "90 %", overTime}, {b.quantile(".99", ""), "99 %", overTime}},
	})
}

func (b *board) latencyByAction() cog.Builder[dashboard.Panel] {
	return lines(panel{
		title: "Latency by action, 99 %", width: 8, empty: "no request", unit: units.Seconds,
		about:   "The same for each action: the time that 99 of 100 requests stay below.",
		queries: []query{{b.quantile(".99", "action"), "{{action}}", overTime}},
	})
}

func (b *board) waiting() cog.Builder[dashboard.Panel] {
	return lines(panel{
		title: "Waiting for the rate limit", width: 8, empty: noExporter, unit: count,
		about:   "Requests that wait on average for our own limiter, or for a pause that the API asked for. Above the concurrency less one, the limit is what polls wait for.",
		queries: []query{{by("sum", process+", account", "rate("+b.series("api_rate_limit_wait_seconds_total")+"[$__rate_interval])"), ofProcess, overTime}},
	})
}

func (b *board) durations() cog.Builder[dashboard.Panel] {
	return dashed(lines(panel{
		title: "Poll duration", width: 6, empty: "never polled, or not scraped", unit: units.Seconds,
		about:   "Time of the last round of polls, beside the poll interval. If it takes longer, jobs are read late.",
		queries: []query{{b.latest("poll_duration_seconds"), ofProcess, overTime}, {"max(" + b.series("poll_interval_seconds") + ")", "interval", overTime}},
	}), "interval")
}

func (b *board) skipped() cog.Builder[dashboard.Panel] {
	return lines(panel{
		title: "Skipped polls", width: 6, empty: noExporter, unit: count,
		about:   "Ticks at which jobs of the previous round were still waiting.",
		queries: []query{{by("sum", process+", account", "increase("+b.series("poll_skipped_total")+"[$__rate_interval])"), ofProcess, overTime}},
	})
}

func (b *board) listing() cog.Builder[dashboard.Panel] {
	return spans(panel{
		title: "Listing of jobs", width: 6, empty: "switched off, or no exporter is scraped",
		about:   "Whether the last listing of the account's jobs (ListDeploymentJob) succeeded. While it fails, the last list is polled.",
		states:  []state{{"1", "good", sky}, {"0", "failed", vermilion}},
		queries: []query{{b.latest("discovery_up"), ofProcess, overTime}},
	})
}

func (b *board) shares() cog.Builder[dashboard.Panel] {
	return lines(panel{
		title: "Jobs watched", width: 6, empty: noExporter, unit: count,
		about:   "Deployment jobs by exporter: how evenly shards share them.",
		queries: []query{{b.latest("deployment_jobs"), ofProcess, overTime}},
	})
}

// ours narrows what every process exports to exporters.
func (b *board) ours(expr string) string {
	return fmt.Sprintf("%s and on (%s) %s", by("max", process, expr), process, b.series("aliyun_cas_exporter_build_info"))
}

func (b *board) memory() cog.Builder[dashboard.Panel] {
	return lines(panel{
		title: "Memory", empty: noExporter, unit: units.BytesIEC, about: "Resident memory of each exporter.",
		queries: []query{{b.ours(b.series("process_resident_memory_bytes")), "{{instance}} " + where, overTime}},
	})
}

func (b *board) cpu() cog.Builder[dashboard.Panel] {
	return lines(panel{
		title: "CPU", empty: noExporter, unit: count, about: "Cores that each exporter uses.",
		queries: []query{{b.ours("rate(" + b.series("process_cpu_seconds_total") + "[$__rate_interval])"), "{{instance}} " + where, overTime}},
	})
}

func (b *board) versions() cog.Builder[dashboard.Panel] {
	return rows(panel{
		title: "Versions and shards", width: 24, height: 6, sorted: "Exporter", empty: noExporter, about: "Version, shard and start of each exporter.",
	},
		column{title: "Exporter", label: "instance"},
		column{expr: by("max", process+", version, revision, goversion", b.series("aliyun_cas_exporter_build_info"))},
		column{title: "Version", label: "version"},
		column{title: "Revision", label: "revision"},
		column{title: "Go", label: "goversion"},
		column{expr: b.latest("shard_info")},
		column{title: "Shard", label: "shard"},
		column{title: "Of", label: "total_shards"},
		column{title: "Started", expr: "1000 * " + b.ours(b.series("process_start_time_seconds")), unit: moments},
		column{title: "Cluster", label: "cluster"},
		column{title: "Namespace", label: "namespace"},
		column{title: "Scrape job", label: "job"},
	)
}
