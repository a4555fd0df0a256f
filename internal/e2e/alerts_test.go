//go:build e2e

package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// rollout is a job under way: one worker is done, one runs, one waits.
func rollout(id int64, name string) (simulator.Job, []simulator.Worker) {
	began := time.Now().Add(-2 * time.Minute)
	worker := func(n int64, status, product, region, instance string) simulator.Worker {
		return simulator.Worker{
			ID: id*10 + n, Status: status, CloudProduct: product, RegionID: region, InstanceID: instance, ListenerID: "lsn-443", Port: 443,
			ResourceDomain: "www.example.com", CertName: "cert-" + name, Created: began, Modified: time.Now(),
		}
	}
	job := simulator.Job{
		ID: id, Name: name, Status: "processing", JobType: "user", CertType: "upload",
		Created: began, Modified: began, Schedule: began, Start: began,
		Certificates: []simulator.Certificate{{ID: id, Name: "cert-" + name, CommonName: "*.example.com", NotBefore: began, NotAfter: began.AddDate(0, 3, 0)}},
	}
	return job, []simulator.Worker{
		worker(1, "success", "SLB", "cn-hangzhou", "lb-bp1"), worker(2, "processing", "ALB", "cn-shanghai", "alb-8rl"),
		worker(3, "pending", "CDN", "", ""),
	}
}

// finished makes a rollout one whose only worker has succeeded.
func finished(job simulator.Job, workers []simulator.Worker) (simulator.Job, []simulator.Worker) {
	job.Status, job.End, job.Modified = "success", time.Now(), time.Now()
	return job, workers[:1]
}

const (
	workersFailed      = "AliyunCasDeploymentWorkersFailed"
	workersStuck       = "AliyunCasDeploymentWorkersStuck"
	certificateExpires = "AliyunCasCertificateExpires"
	dataStale          = "AliyunCasDataStale"
	apiUnreadable      = "AliyunCasApiUnreadable"
	authFailing        = "AliyunCasAuthFailing"
	permissionMissing  = "AliyunCasPermissionMissing"
	discoveryFailing   = "AliyunCasDiscoveryFailing"
	targetDown         = "AliyunCasExporterTargetDown"
	shardMissing       = "AliyunCasShardMissing"
)

// becomes changes the worker of a rollout that runs.
func (w *world) becomes(jobID int64, status string, since time.Time) {
	w.api.UpdateWorker(jobID, jobID*10+2, func(worker *simulator.Worker) {
		worker.Status, worker.Modified = status, since
	})
}

// fails makes a worker of a rollout fail, and returns its alert.
func (w *world) fails(jobID int64) notice {
	w.Helper()
	w.becomes(jobID, "error", time.Now())
	return w.hook.firing(w.T, map[string]string{"alertname": workersFailed})
}

// watching returns a world in which one exporter watches a rollout.
func watching(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.api.PutJob(rollout(8888, "renewal-example-com"))
	w.scrape(w.exporter())
	return w
}

// about returns the labels of an alert about a job, or about the account without one.
func about(alertname, severity, jobID string, more ...string) map[string]string {
	labels := map[string]string{"alertname": alertname, "severity": severity, "job": "aliyun-cas-exporter"}
	if jobID != "" {
		labels["job_id"] = jobID
	}
	for i := 0; i < len(more); i += 2 {
		labels[more[i]] = more[i+1]
	}
	return labels
}

func TestFailedWorkerAndItsRepair(t *testing.T) {
	w := watching(t)
	failed := time.Now()
	alert := w.fails(8888)
	t.Logf("from the worker's failure to the webhook: %.1f s", alert.arrived.Sub(failed).Seconds())
	w.says(alert, about(workersFailed, "warning", "8888", "status", "error"),
		"8888", "renewal-example-com", "ALB", "cn-shanghai", "www.example.com", "alb-8rl", "lsn-443", "First, ", "Then ")

	w.becomes(8888, "success", time.Now())
	w.hook.resolved(t, alert)
	w.only(workersFailed)
}

func TestStuckWorker(t *testing.T) {
	w := watching(t)
	w.becomes(8888, "processing", time.Now().Add(-3*time.Hour))
	alert := w.hook.firing(t, map[string]string{"alertname": workersStuck})
	w.says(alert, about(workersStuck, "warning", "8888"), "8888", "renewal-example-com", "ALB", "cn-shanghai", "processing", "3h 0m", "alb-8rl")

	w.becomes(8888, "success", time.Now())
	w.hook.resolved(t, alert)
	w.only(workersStuck)
}

// TestLeftInPending: CAS says success, and one of its workers never ran.
func TestLeftInPending(t *testing.T) {
	w := newWorld(t)
	job, workers := rollout(8888, "renewal-example-com")
	job.Status, job.End, job.Modified = "success", time.Now(), time.Now()
	workers[1].Status, workers[1].Modified = "pending", time.Now().Add(-3*time.Hour)
	w.api.PutJob(job, workers[:2])
	w.scrape(w.exporter())
	alert := w.hook.firing(t, map[string]string{"alertname": workersStuck})
	w.says(alert, about(workersStuck, "warning", "8888"), "8888", "renewal-example-com", "ALB", "cn-shanghai", "pending", "alb-8rl", "lsn-443")
	w.only(workersStuck)
}

// TestExpiringCertificate: nothing failed, and no later job deployed another one.
func TestExpiringCertificate(t *testing.T) {
	w := newWorld(t)
	job, workers := finished(rollout(8888, "renewal-example-com"))
	job.Certificates[0].NotAfter = time.Now().Add(48*time.Hour + 30*time.Minute)
	w.api.PutJob(job, workers)
	w.scrape(w.exporter())
	alert := w.hook.firing(t, map[string]string{"alertname": certificateExpires})
	w.says(alert, about(certificateExpires, "critical", "", "cert_id", "8888", "cert_name", "cert-renewal-example-com", "common_name", "*.example.com"),
		"*.example.com", "2d 0h", "8888", "First, ", "Then ")

	// A later job deploys its successor.
	w.api.PutJob(finished(rollout(8889, "renewal-example-com")))
	w.hook.resolved(t, alert)
	w.only(certificateExpires)
}

// TestSupersededFailure: a later job reached the resource, so that nobody need know.
func TestSupersededFailure(t *testing.T) {
	w := newWorld(t)
	job, workers := finished(rollout(8888, "renewal-example-com"))
	job.Status, workers[0].Status = "error", "error"
	w.api.PutJob(job, workers)
	job, workers = finished(rollout(8889, "renewal-example-com"))
	job.Created = job.Created.Add(time.Minute)
	w.api.PutJob(job, workers)
	w.scrape(w.exporter())
	w.sees(`count(aliyun_cas_deployment_workers{status="error"} > 0)`, "", map[string]float64{"": 1})
	w.settle(quiet)
	w.only()
}

// TestOutage checks besides that the alert about a worker does not end before the
// one that says that nothing is known of it.
func TestOutage(t *testing.T) {
	w := watching(t)
	failed := w.fails(8888)
	if err := w.api.Inject("error-503", simulator.Match{}); err != nil {
		t.Fatal(err)
	}
	down := time.Now()
	outage := w.hook.firing(t, map[string]string{"alertname": apiUnreadable})
	t.Logf("from the first refusal to the webhook: %.1f s", outage.arrived.Sub(down).Seconds())
	w.says(outage, about(apiUnreadable, "critical", ""), "server_error", "ServiceUnavailable", "First, ")
	w.sees(`group by (alertname) (ALERTS{alertname=~"`+dataStale+`|`+discoveryFailing+`",alertstate="firing"})`, "alertname",
		map[string]float64{dataStale: 1, discoveryFailing: 1})
	for _, n := range w.hook.matching("resolved", failed.Labels) {
		if n.arrived.Before(outage.arrived) {
			t.Error("the worker's alert ended before anybody knew of the outage")
		}
	}
	w.settle(quiet)

	w.api.ClearFaults()
	w.hook.resolved(t, outage)
	w.onlyBut([]string{dataStale, discoveryFailing}, apiUnreadable, workersFailed)
}

func TestWrongKey(t *testing.T) {
	w := watching(t)
	w.api.SetCredentials("another", "key", "")
	auth := w.hook.firing(t, map[string]string{"alertname": authFailing})
	w.says(auth, about(authFailing, "critical", ""), "credentials", "InvalidAccessKeyId", "First, ")
	w.sees(`group by (alertname) (ALERTS{alertname=~"`+dataStale+`|`+discoveryFailing+`",alertstate="firing"})`, "alertname",
		map[string]float64{dataStale: 1, discoveryFailing: 1})

	w.api.SetCredentials(simulator.DemoAccessKeyID, simulator.DemoAccessKeySecret, "")
	w.hook.resolved(t, auth)
	w.onlyBut([]string{dataStale, discoveryFailing}, authFailing)
}

func TestMissingPermission(t *testing.T) {
	w := watching(t)
	if err := w.api.Inject("forbidden", simulator.Match{Action: "ListDeploymentJob"}); err != nil {
		t.Fatal(err)
	}
	missing := w.hook.firing(t, map[string]string{"alertname": permissionMissing})
	w.says(missing, about(permissionMissing, "warning", "", "action", "ListDeploymentJob"), "yundun-cert:ListDeploymentJob", "Forbidden.RAM", "First, ")
	w.sees(`group by (alertname) (ALERTS{alertname="`+discoveryFailing+`",alertstate="firing"})`, "alertname", map[string]float64{discoveryFailing: 1})

	w.api.ClearFaults()
	w.hook.resolved(t, missing)
	w.onlyBut([]string{discoveryFailing}, permissionMissing)
}

// TestManyFailures: an alert a job, and one message, however many products failed.
func TestManyFailures(t *testing.T) {
	const jobs, products = 40, 10
	w := newWorldThatGroups(t, "alertname, cluster, namespace, job, account")
	for id := range int64(jobs) {
		job, workers := finished(rollout(8000+id, "renewal-example-com"))
		job.Status = "error"
		workers = slices.Repeat(workers, products)
		for i := range workers {
			workers[i].ID, workers[i].Status, workers[i].CloudProduct = 100*id+int64(i), "error", fmt.Sprintf("PRODUCT%d", i)
		}
		w.api.PutJob(job, workers)
	}
	w.scrape(w.exporter())
	w.sees(`count(ALERTS{alertstate="firing"})`, "", map[string]float64{"": jobs})
	await(t, "all alerts", func() string {
		if n := len(w.hook.matching("firing", nil)); n < jobs {
			return fmt.Sprintf("%d arrived", n)
		}
		return ""
	})
	w.hook.mu.Lock()
	defer w.hook.mu.Unlock()
	t.Logf("%d jobs, %d products each: the largest of %d messages has %d bytes", jobs, products, len(w.hook.messages), slices.Max(w.hook.messages))
	if largest := slices.Max(w.hook.messages); largest > 4096*jobs {
		t.Errorf("a message of %d bytes, want at most 4 KiB a job", largest)
	}
	t.Log(w.hook.notices[0].Annotations["description"])
}
