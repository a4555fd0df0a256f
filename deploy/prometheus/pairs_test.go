package prometheus_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// pair is a job in a status, all of whose workers are in one, for as long as a status can last.
type pair struct{ job, worker string }

// cover says what of a pair raises an alert: its name, or why none is needed.
type cover struct {
	alert string
	fine  string
}

// covers is the whole of what can be stuck: every status of a job with every status of a worker.
func covers() map[pair][]cover {
	const (
		failed, rollback, stuck    = "AliyunCasDeploymentWorkersFailed", "AliyunCasDeploymentRollbackFailed", "AliyunCasDeploymentWorkersStuck"
		stalled, never, overdue    = "AliyunCasDeploymentJobStalled", "AliyunCasDeploymentJobNeverStarted", "AliyunCasDeploymentJobOverdue"
		jobFailed, undocumented    = "AliyunCasDeploymentJobFailed", "AliyunCasUndocumentedStatus"
		done, rolledBack, ofTheJob = "it has the certificate", "it has the certificate that it had before, as somebody asked for", "it waits for its job, which has an alert"
	)
	ofJob := map[string][]cover{
		"editing":    {{alert: never}},
		"pending":    {{alert: overdue}},
		"scheduling": {{alert: overdue}},
		"processing": {{alert: stalled}},
		"success":    nil,
		"error":      {{alert: jobFailed}},
		"halted":     {{alert: undocumented}},
	}
	ofWorker := map[string]cover{
		"editing":          {fine: ofTheJob},
		"pending":          {fine: ofTheJob},
		"scheduling":       {alert: stuck},
		"processing":       {alert: stuck},
		"success":          {fine: done},
		"error":            {alert: failed},
		"rollback":         {alert: stuck},
		"rollback_success": {fine: rolledBack},
		"rollback_error":   {alert: rollback},
		"paused":           {alert: undocumented},
	}
	table := map[pair][]cover{}
	for job, alerts := range ofJob {
		for worker, c := range ofWorker {
			table[pair{job, worker}] = append(slices.Clone(alerts), c)
		}
	}
	// A job that has ended moves no worker that waits.
	for _, job := range []string{"success", "error"} {
		for _, worker := range []string{"editing", "pending"} {
			table[pair{job, worker}] = append(slices.Clone(ofJob[job]), cover{alert: stuck})
		}
	}
	// One cause, one alert: what its workers do explains the job.
	for _, worker := range []string{"scheduling", "processing", "rollback"} {
		table[pair{"processing", worker}] = []cover{{alert: stuck}}
	}
	for _, worker := range []string{"error", "rollback_error"} {
		table[pair{"error", worker}] = []cover{ofWorker[worker]}
	}
	// A status that nobody knows is all that can be said, of the worker or of the job.
	for _, worker := range []string{"editing", "pending"} {
		table[pair{"halted", worker}] = []cover{{alert: undocumented}}
	}
	return table
}

func (p pair) String() string { return p.job + "/" + p.worker }

// pairsTest has a job for each pair, untouched for two hours, and what fires in the end.
func pairsTest(table map[pair][]cover) test {
	c := test{Name: "pairs", Interval: "4m", Expressions: []exprTest{{EvalTime: "2h", Expr: `group by (alertname, job_id) (ALERTS{alertstate="firing"})`}}}
	for _, p := range slices.SortedFunc(maps.Keys(table), func(a, b pair) int { return strings.Compare(a.String(), b.String()) }) {
		add := func(values, family, labels string) {
			c.InputSeries = append(c.InputSeries, series{fmt.Sprintf(`aliyun_cas_deployment_%s{job="cas",instance="a",job_id="%s"%s}`, family, p, labels), values})
		}
		add("1x30", "job_up", "")
		add("0x30", "failed_workers_omitted", "")
		add("0+240x30", "job_last_success_timestamp_seconds", "")
		add("0x30", "job_modified_timestamp_seconds", "")
		add("0x30", "job_start_timestamp_seconds", "")
		add("1x30", "job_workers", "")
		add("1x30", "job_status", fmt.Sprintf(`,status="%s"`, p.job))
		group := fmt.Sprintf(`,cloud_product="SLB",region_id="cn-hangzhou",status="%s"`, p.worker)
		add("1x30", "workers", group)
		add("0x30", "workers_oldest_modified_timestamp_seconds", group)
		for _, name := range fired(table[p]) {
			c.Expressions[0].Samples = append(c.Expressions[0].Samples, sample{fmt.Sprintf(`{alertname="%s", job_id="%s"}`, name, p), 1})
		}
	}
	return c
}

// fired returns the names of the alerts, each once.
func fired(covers []cover) []string {
	var names []string
	for _, c := range covers {
		if c.alert != "" {
			names = append(names, c.alert)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestEveryPairIsCovered: whatever a job and its workers can be stuck in raises exactly the alerts of the table.
func TestEveryPairIsCovered(t *testing.T) {
	rules, table := textless(shipped(t)), covers()
	if len(table) != 7*10 {
		t.Errorf("%d pairs, want 7 statuses of a job by 10 of a worker", len(table))
	}
	named := map[string]bool{}
	for p, all := range table {
		if len(all) == 0 {
			t.Errorf("%s has neither an alert nor a reason", p)
		}
		for _, c := range all {
			if (c.alert == "") == (c.fine == "") {
				t.Errorf("%s: want an alert or a reason", p)
			}
		}
		for _, name := range fired(all) {
			named[name] = true
		}
	}
	if output, ok := check(t, rules, pairsTest(table)); !ok {
		t.Error(output)
	}
	for name := range named {
		t.Run("without "+name, func(t *testing.T) {
			t.Parallel()
			others := slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return r.Alert == name })
			if len(others) == len(rules) {
				t.Fatal("there is no such alert")
			}
			if _, ok := check(t, others, pairsTest(table)); ok {
				t.Error("no pair fails")
			}
		})
	}
	t.Logf("%d pairs, %d alerts", len(table), len(named))
}
