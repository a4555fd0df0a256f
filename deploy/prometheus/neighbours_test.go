package prometheus_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// fact is a series, five minutes between its samples, of a deployment job or, without one, of an account or an exporter.
type fact struct {
	family, job, labels string
	values              string
	elsewhere           map[string]string // where it differs from home
}

// home is where something is or is not; each neighbour differs from it in one label, and has what would change that.
func home() map[string]string {
	return map[string]string{"cluster": "c", "namespace": "n", "job": "j", "account": "a", "api_region": "r", "instance": "i"}
}

const (
	far, soon = "7776000x30", "100000x30" // ends of certificates, in seconds
	one, zero = "1x30", "0x30"
	clock     = "0+300x30"
)

func workers(job, status, values string) fact {
	return fact{"deployment_workers", job, fmt.Sprintf(`cloud_product="SLB",region_id="",status="%s"`, status), values, nil}
}

func oldest(job, status string) fact {
	return fact{"deployment_workers_oldest_modified_timestamp_seconds", job, fmt.Sprintf(`cloud_product="SLB",region_id="",status="%s"`, status), zero, nil}
}

func superseded(job, values string) fact {
	return fact{"deployment_superseded_workers", job, `cloud_product="SLB",region_id="",status="error"`, values, nil}
}

// wereRead is there for each job whose workers were read.
func wereRead(job string) fact { return ofJob("failed_workers_omitted", job, zero) }

func ofJob(family, job, values string) fact {
	return fact{"deployment_" + family, job, "", values, nil}
}

func status(job, status string) fact {
	return fact{"deployment_job_status", job, `status="` + status + `"`, one, nil}
}

func cert(job, id, name, end string) fact {
	return fact{"deployment_job_certificate_not_after_timestamp_seconds", job, fmt.Sprintf(`cert_id="%s",cert_name="%s",common_name="%s"`, id, id, name), end, nil}
}

// probe is what a prober says of a host that a job deployed to.
func probe(what, job, values string) fact {
	return fact{"probe_" + what, job, fmt.Sprintf(`cert_id="%s",cloud_product="SLB"`, job), values, map[string]string{"namespace": "", "job": "served", "instance": "www.example.com:443"}}
}

func of(family, labels, values string, elsewhere ...string) fact {
	where := map[string]string{}
	for i := 0; i < len(elsewhere); i += 2 {
		where[elsewhere[i]] = elsewhere[i+1]
	}
	return fact{family, "", labels, values, where}
}

// situation is what is so at home, what is so in each neighbour, and what fires at home whatever happens next door: the
// name of an alert, with the labels in which it differs from the account's.
type situation struct {
	about          string
	home, nextDoor []fact
	fires          []string
}

// situations are one for each list of labels in rules.yml that a neighbour could slip through, and one for each alert.
func situations() []situation {
	return append(jobSituations(), exporterSituations()...)
}

func jobSituations() []situation {
	confirmed := func(job string) fact { return ofJob("job_last_success_timestamp_seconds", job, clock) }
	return []situation{
		{"a worker waits; next door its job has ended", []fact{confirmed("1"), oldest("1", "pending")}, []fact{status("1", "success")}, nil},
		{"workers are done; next door their job runs", []fact{workers("2", "success", one)}, []fact{status("2", "processing")}, nil},
		{"errors alone are read; next door all is", []fact{status("3", "processing"), workers("3", "error", zero)}, []fact{workers("3", "success", zero), ofJob("job_workers", "3", one)}, nil},
		{"the successor has not run; next door it has", []fact{cert("41", "4", "four", soon), cert("42", "44", "four", far)}, []fact{status("42", "success")}, []string{"CertificateExpires cert_id=4"}},
		{"the successor is deployed; next door it was rolled back", []fact{cert("51", "5", "five", soon), cert("52", "55", "five", far), status("52", "success")}, []fact{ofJob("job_rolled_back", "52", one)}, nil},
		{"the successor is deployed; next door it failed", []fact{cert("61", "6", "six", soon), cert("62", "66", "six", far), status("62", "success")}, []fact{workers("62", "rollback_error", one)}, nil},
		{"nobody reached the resources; next door somebody did", []fact{cert("7", "7", "seven", soon)}, []fact{superseded("7", one), ofJob("job_workers", "7", one)}, []string{"CertificateExpires cert_id=7"}},
		{"of two resources one was reached; next door there is one", []fact{cert("8", "8", "eight", soon), superseded("8", one), ofJob("job_workers", "8", "2x30")}, []fact{ofJob("job_workers", "8", one)}, []string{"CertificateExpires cert_id=8"}},
		{"the successor is next door", []fact{cert("91", "9", "nine", soon)}, []fact{cert("92", "99", "nine", far), status("92", "success")}, []string{"CertificateExpires cert_id=9"}},
		{
			"a worker failed; next door the certificate expires",
			[]fact{workers("10", "error", one), cert("11", "11", "eleven", far), workers("11", "error", one)},
			[]fact{cert("10", "10", "ten", soon), cert("11", "11", "eleven", soon)},
			[]string{"DeploymentWorkersFailed job_id=10 status=error", "DeploymentWorkersFailed job_id=11 status=error", "CertificateExpires cert_id=10"},
		},
		{"a certificate has a week", []fact{cert("12", "12", "twelve", "600000x30")}, nil, []string{"CertificateExpires cert_id=12"}},
		{
			"data is old; next door polls are rare",
			[]fact{of("poll_interval_seconds", "", "60x30"), of("poll_last_timestamp_seconds", "", clock), ofJob("job_last_success_timestamp_seconds", "13", zero)},
			[]fact{of("poll_interval_seconds", "", "3600x30"), of("poll_last_timestamp_seconds", "", clock)},
			[]string{"DataStale job_id=13"},
		},
		{"there are no counts; next door there are", []fact{ofJob("job_up", "14", zero)}, []fact{ofJob("failed_workers_omitted", "14", zero)}, []string{"DataStale job_id=14"}},
		{"a job does not move; next door a worker is stuck", []fact{status("15", "processing"), workers("15", "success", one)}, []fact{confirmed("15"), oldest("15", "processing")}, []string{"DeploymentJobStalled job_id=15"}},
		{"no worker failed; next door one did", []fact{status("16", "error"), wereRead("16")}, []fact{workers("16", "error", one)}, []string{"DeploymentJobFailed job_id=16 status=error"}},
		{"no worker failed; next door one was reached later", []fact{status("17", "error"), wereRead("17")}, []fact{superseded("17", one)}, []string{"DeploymentJobFailed job_id=17 status=error"}},
		{"later jobs reached all that failed", []fact{cert("29", "29", "twenty-nine", soon), workers("29", "error", one), superseded("29", one), ofJob("job_workers", "29", one)}, nil, nil},
		{"none of its workers is done", []fact{status("30", "processing"), ofJob("job_workers", "30", one)}, nil, []string{"DeploymentJobStalled job_id=30"}},
		{"workers were read", []fact{ofJob("job_up", "31", one), wereRead("31")}, nil, nil},
		{"workers were not read; next door they were", []fact{status("28", "error")}, []fact{wereRead("28")}, nil},
		{"nothing matches; next door it is edited", []fact{ofJob("job_matched_workers", "18", zero), wereRead("18")}, []fact{status("18", "editing")}, []string{"DeploymentJobMatchesNothing job_id=18"}},
		{"nothing matches; next door it succeeded", []fact{ofJob("job_matched_workers", "19", zero), wereRead("19")}, []fact{workers("19", "success", one)}, []string{"DeploymentJobMatchesNothing job_id=19"}},
		{"nobody wants names; next door somebody does", []fact{ofJob("failed_workers_omitted", "20", one)}, []fact{{"deployment_failed_worker_modified_timestamp_seconds", "20", `worker_id="1"`, zero, nil}}, nil},
		{"not all are named", []fact{ofJob("failed_workers_omitted", "21", one), {"deployment_failed_worker_modified_timestamp_seconds", "21", `worker_id="1"`, zero, nil}}, nil, []string{"FailedWorkersOmitted job_id=21"}},
		{"a rollback failed", []fact{workers("22", "rollback_error", one)}, nil, []string{"DeploymentRollbackFailed job_id=22 status=rollback_error"}},
		{"a worker is stuck", []fact{confirmed("23"), oldest("23", "processing")}, nil, []string{"DeploymentWorkersStuck job_id=23"}},
		{"nobody starts it", []fact{status("24", "editing"), ofJob("job_modified_timestamp_seconds", "24", zero)}, nil, []string{"DeploymentJobNeverStarted job_id=24 status=editing"}},
		{"CAS does not start it", []fact{status("25", "pending"), ofJob("job_schedule_timestamp_seconds", "25", zero)}, nil, []string{"DeploymentJobOverdue job_id=25"}},
		{"counts disagree", []fact{ofJob("job_workers", "26", one), ofJob("job_reported_workers", "26", zero)}, nil, []string{"WorkerCountDisagrees job_id=26"}},
		{"an old certificate is served; next door it is new enough", []fact{cert("32", "32", "thirty-two", far), probe("ssl_last_chain_expiry_timestamp_seconds", "32", soon)}, []fact{cert("32", "32", "thirty-two", soon)}, []string{"OldCertificateServed job_id=32 cert_id=32 namespace= job="}},
		{"a host cannot be reached", []fact{ofJob("job_up", "33", one), wereRead("33"), probe("success", "33", zero)}, nil, []string{"DeployedHostUnreachable job_id=33 cert_id=33 namespace= job="}},
		{"nobody probes the hosts", []fact{of("probe_targets", "", one, "account", "unprobed")}, nil, []string{"HostsNotProbed account=unprobed"}},
		{"nobody watches the host's job; next door somebody does", []fact{probe("success", "34", zero)}, []fact{ofJob("job_up", "34", one), wereRead("34")}, nil},
		{"a job whose errors alone grow", []fact{status("71", "processing"), workers("71", "success", one), workers("71", "error", "1+1x30")}, nil, []string{"DeploymentWorkersFailed job_id=71 status=error"}},
		{
			"workers of one of two products are done, one after another",
			[]fact{status("72", "processing"), workers("72", "success", "0+1x30"), {"deployment_workers", "72", `cloud_product="CDN",region_id="",status="success"`, "50x30", nil}},
			nil,
			nil,
		},
		{
			"workers in one of two regions are done, one after another",
			[]fact{status("73", "processing"), workers("73", "success", "0+1x30"), {"deployment_workers", "73", `cloud_product="SLB",region_id="r",status="success"`, "50x30", nil}},
			nil,
			nil,
		},
		{"no worker failed, and later jobs reached none", []fact{status("74", "error"), wereRead("74"), superseded("74", zero)}, nil, []string{"DeploymentJobFailed job_id=74 status=error"}},
		{"a job without groups runs; next door its workers are done, one after another", []fact{status("75", "processing"), ofJob("job_workers", "75", one)}, []fact{status("75", "processing"), workers("75", "success", "0+1x30")}, []string{"DeploymentJobStalled job_id=75"}},
		{
			"of two products, later jobs reached what failed of one",
			[]fact{workers("76", "error", one), superseded("76", one), {"deployment_workers", "76", `cloud_product="CDN",region_id="",status="error"`, one, nil}},
			nil,
			[]string{"DeploymentWorkersFailed job_id=76 status=error"},
		},
		{
			"a worker had waited for half an hour when it was last read",
			[]fact{ofJob("job_last_success_timestamp_seconds", "77", "9000x30"), {"deployment_workers_oldest_modified_timestamp_seconds", "77", `cloud_product="SLB",region_id="",status="processing"`, "7200x30", nil}},
			nil,
			nil,
		},
		{
			"the successor is deployed to a resource, and was not rolled back",
			[]fact{cert("81", "81", "eighty", soon), cert("82", "82", "eighty", far), status("82", "success"), ofJob("job_rolled_back", "82", zero), ofJob("job_workers", "82", one)},
			nil,
			nil,
		},
		{"a certificate that is deployed expires", []fact{cert("83", "83", "eighty-three", soon), status("83", "success")}, nil, []string{"CertificateExpires cert_id=83"}},
		{"a status is new", []fact{workers("27", "paused", one)}, nil, []string{"UndocumentedStatus job_id=27 status=paused"}},
	}
}

func exporterSituations() []situation {
	lastError := func(action, reason, account string) fact {
		return of("api_last_error_info", fmt.Sprintf(`action="%s",reason="%s",code=""`, action, reason), one, "account", account)
	}
	shard := func(total, values, job, instance string) fact {
		return of("shard_info", `shard="0",total_shards="`+total+`"`, values, "account", "", "api_region", "", "job", job, "instance", instance)
	}
	up := func(values, job, instance string) fact {
		return of("up", "", values, "account", "", "api_region", "", "job", job, "instance", instance)
	}
	return []situation{
		{"the API is not read; next door the key is refused", []fact{of("api_up", "", zero)}, []fact{of("api_up", "", zero), lastError("ListDeploymentJob", "auth", "")}, []string{"ApiUnreadable"}},
		{"the key is refused", []fact{of("api_up", "", zero, "account", "b"), lastError("ListDeploymentJob", "auth", "b")}, nil, []string{"AuthFailing account=b"}},
		{"a permission is missing", []fact{lastError("ListDeploymentJobCert", "forbidden", "a")}, nil, []string{"PermissionMissing action=ListDeploymentJobCert"}},
		{"polls are throttled", []fact{of("poll_last_failures", `reason="throttled"`, one)}, nil, []string{"Throttled"}},
		{"nothing is listed", []fact{of("discovery_up", "", zero)}, nil, []string{"DiscoveryFailing"}},
		{"jobs vanished", []fact{of("discovery_up", "", one, "account", "b"), of("deployment_jobs", "", "9x20 0x10", "account", "b")}, nil, []string{"JobsVanished account=b"}},
		{"there are no jobs", []fact{of("discovery_up", "", one, "account", "e"), of("deployment_jobs", "", zero, "account", "e")}, nil, []string{"NoJobs account=e"}},
		{"the quota is used up", []fact{of("deployment_quota_bought", "", one), of("deployment_quota_used", "", one)}, nil, []string{"QuotaNearlyUsed"}},
		{"no round ended", []fact{of("poll_interval_seconds", "", "60x30", "account", "b")}, nil, []string{"ExporterNeverPolled account=b"}},
		{"no round ended lately", []fact{of("poll_interval_seconds", "", "60x30", "account", "e"), of("poll_last_timestamp_seconds", "", zero, "account", "e")}, nil, []string{"PollOverdue account=e"}},
		{"there is more to read than calls", []fact{of("poll_interval_seconds", "", "60x30"), of("api_rate_limit_requests_per_second", "", one), of("poll_expected_api_requests", `action="ListWorkerResource"`, "99x30")}, nil, []string{"PollBudgetExceeded"}},
		{"a target is no exporter; next door it is", []fact{up(zero, "j", "i"), shard("1", one, "j", "i2")}, nil, nil},
		{
			"one exporter is down; next door a shard is missing",
			[]fact{up(zero, "k", "i3"), shard("1", "1x2 stale", "k", "i3"), shard("1", one, "k", "i4")},
			nil,
			[]string{"ExporterTargetDown job=k account= api_region="},
		},
		{
			"a shard is missing",
			[]fact{shard("2", one, "m", "i6"), of("total_shards", "", "2x30", "account", "", "api_region", "", "job", "m", "instance", "i6")},
			nil,
			[]string{"ShardMissing job=m account= api_region= total_shards=2"},
		},
		{
			"both shards are there",
			[]fact{
				shard("2", one, "o", "i7"), of("shard_info", `shard="1",total_shards="2"`, one, "account", "", "api_region", "", "job", "o", "instance", "i8"),
				of("total_shards", "", "2x30", "account", "", "api_region", "", "job", "o", "instance", "i7"),
			},
			nil,
			nil,
		},
		{"a target with an exporter's name answers", []fact{up(one, "aliyun-cas-exporter", "i9")}, nil, nil},
		{"all exporters are down", []fact{up(zero, "l", "i5"), shard("1", "1x2 stale", "l", "i5")}, nil, []string{"ExporterDown job=l account= api_region="}},
	}
}

// facts are series by their names.
type facts map[string]string

// add adds a fact, at home or where one label has another value.
func (all facts) add(label, value, jobSuffix string, f fact) {
	where := home()
	if label != "" {
		where[label] = value
	}
	maps.Copy(where, f.elsewhere)
	if f.job != "" {
		where["job_id"] = f.job + jobSuffix
	}
	name := "aliyun_cas_" + f.family
	if f.family == "up" || strings.HasPrefix(f.family, "probe_s") { // of Prometheus, of a prober
		name = f.family
	}
	labels := strings.Join([]string{list(where), f.labels}, ",")
	all[fmt.Sprintf("%s{%s}", name, strings.TrimSuffix(labels, ","))] = f.values
}

// test is one of these facts, with the alerts that fire in the end.
func (all facts) test(name string, fires []sample) test {
	c := test{Name: name, Interval: "5m", Expressions: []exprTest{{
		EvalTime: "150m",
		Expr: `group by (alertname, job_id, cert_id, cert_name, cluster, namespace, job, account, api_region)
			(ALERTS{alertstate="firing",cluster!="x",namespace!="x",job!="x",account!="x",api_region!="x",job_id!~".*x"})`,
		Samples: fires,
	}}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c.InputSeries = append(c.InputSeries, series{name, all[name]})
	}
	return c
}

// neighbourTest is home, its neighbours, and the alerts that fire at home.
func neighbourTest() test {
	var fires []sample
	all := facts{}
	add := all.add
	for _, s := range situations() {
		for _, f := range s.home {
			add("", "", "", f)
		}
		for _, f := range s.nextDoor {
			for _, label := range []string{"cluster", "namespace", "job", "account", "api_region"} {
				if f.elsewhere = nil; (f.job == "32" || f.job == "34") && (label == "namespace" || label == "job") {
					continue // a prober knows neither of its exporter
				}
				add(label, "x", "", f)
			}
			// The neighbour that differs in the job's number only: whether a certificate is replaced is a matter of the account.
			if f.job != "" && f.job != "11" && f.job != "92" {
				add("", "", "x", f)
			}
		}
		for _, alert := range s.fires {
			name, differences, _ := strings.Cut(alert, " ")
			where := home()
			delete(where, "instance")
			for d := range strings.FieldsSeq(differences) {
				label, value, _ := strings.Cut(d, "=")
				where[label] = value
			}
			for _, other := range []string{"status", "action", "total_shards"} {
				delete(where, other)
			}
			if where["alertname"] = "AliyunCas" + name; name == "CertificateExpires" {
				where["cert_name"] = where["cert_id"]
			}
			fires = append(fires, sample{"{" + list(where) + "}", 1})
		}
	}
	// The neighbours in these watch a demo only. Their alerts are nobody's; and that is no reason to spare others.
	for _, label := range []string{"cluster", "namespace", "job"} {
		add(label, "x", "", of("demo", "", one, "account", "", "api_region", ""))
		add(label, "x", "", of("shard_info", `shard="0",total_shards="2"`, one, "account", "", "api_region", ""))
		add(label, "x", "", of("total_shards", "", "2x30", "account", "", "api_region", ""))
	}
	// Those of the other scrape jobs miss a shard besides.
	for _, job := range []string{"k", "l", "m"} {
		for _, label := range []string{"cluster", "namespace"} {
			add(label, "x", "", of("demo", "", one, "account", "", "api_region", "", "job", job))
			add(label, "x", "", of("shard_info", `shard="0",total_shards="2"`, one, "account", "", "api_region", "", "job", job))
			add(label, "x", "", of("total_shards", "", "2x30", "account", "", "api_region", "", "job", job))
		}
	}
	return all.test("neighbours", fires)
}

// demoTest is home, where all exporters watch a demo.
func demoTest() test {
	all := facts{}
	for _, s := range situations() {
		for _, f := range s.home {
			if f.elsewhere["job"] == "l" { // its exporters are long gone
				continue
			}
			all.add("", "", "", f)
			if f.family == "shard_info" {
				all.add("", "", "", fact{"demo", "", "", f.values, f.elsewhere})
			}
		}
	}
	for family, labels := range map[string]string{"demo": "", "shard_info": `shard="0",total_shards="1"`} {
		all.add("", "", "", of(family, labels, one, "account", "", "api_region", ""))
	}
	return all.test("demo", nil)
}

// list writes labels, without those that are empty.
func list(labels map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if labels[name] != "" {
			all = append(all, fmt.Sprintf("%s=%q", name, labels[name]))
		}
	}
	return strings.Join(all, ",")
}

// TestNeighbours: what is so in another cluster, namespace, scrape job, account, API region or deployment job changes
// nothing here. Every alert is among those that fire here.
func TestNeighbours(t *testing.T) {
	c := neighbourTest()
	if output, ok := check(t, textless(shipped(t)), c); !ok {
		t.Error(output)
	}
	for _, r := range alerts(t) {
		if !slices.ContainsFunc(c.Expressions[0].Samples, func(s sample) bool { return strings.Contains(s.Labels, fmt.Sprintf("alertname=%q", r.Alert)) }) {
			t.Errorf("no situation fires %s", r.Alert)
		}
	}
}

// TestDemoIsSpared: nobody is alerted by a simulator. Mutants show that each alert would fire without its clause.
func TestDemoIsSpared(t *testing.T) {
	if output, ok := check(t, textless(shipped(t)), demoTest()); !ok {
		t.Error(output)
	}
}
