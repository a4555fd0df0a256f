package e2e_test

import (
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
	workersFailed    = "AliyunCasDeploymentWorkersFailed"
	workersStuck     = "AliyunCasDeploymentWorkersStuck"
	dataStale        = "AliyunCasDataStale"
	discoveryFailing = "AliyunCasDiscoveryFailing"
	authFailing      = "AliyunCasAuthFailing"
	shardMissing     = "AliyunCasShardMissing"
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

func TestFailedWorkerAndItsRepair(t *testing.T) {
	w := watching(t)
	failed := time.Now()
	alert := w.fails(8888)
	t.Logf("from the worker's failure to the webhook: %.1f s", alert.arrived.Sub(failed).Seconds())
	w.says(alert, map[string]string{
		"alertname": workersFailed, "severity": "warning", "job": "aliyun-cas-exporter",
		"job_id": "8888", "cloud_product": "ALB", "region_id": "cn-shanghai", "status": "error",
	}, "8888", "renewal-example-com", "ALB", "cn-shanghai", "www.example.com", "alb-8rl", "lsn-443")

	w.becomes(8888, "success", time.Now())
	w.hook.resolved(t, alert)
	w.only(workersFailed)
}

func TestStuckWorker(t *testing.T) {
	w := watching(t)
	w.becomes(8888, "processing", time.Now().Add(-3*time.Hour))
	alert := w.hook.firing(t, map[string]string{"alertname": workersStuck})
	w.says(alert, map[string]string{
		"alertname": workersStuck, "severity": "warning", "job": "aliyun-cas-exporter",
		"job_id": "8888", "cloud_product": "ALB", "region_id": "cn-shanghai", "status": "processing",
	}, "8888", "renewal-example-com", "ALB", "cn-shanghai", "3h 0m")

	w.becomes(8888, "success", time.Now())
	w.hook.resolved(t, alert)
	w.only(workersStuck)
}

// TestOutage holds besides that the alert about a worker does not end before the
// one that says that nothing is known of it.
func TestOutage(t *testing.T) {
	w := watching(t)
	failed := w.fails(8888)
	if err := w.api.Inject("error-503", simulator.Match{}); err != nil {
		t.Fatal(err)
	}
	stale := w.hook.firing(t, map[string]string{"alertname": dataStale})
	for _, n := range w.hook.matching("resolved", failed.Labels) {
		if n.arrived.Before(stale.arrived) {
			t.Error("the worker's alert ended before its data was stale")
		}
	}
	w.says(stale, map[string]string{
		"alertname": dataStale, "severity": "warning", "job": "aliyun-cas-exporter", "job_id": "8888",
	}, "8888", "renewal-example-com", "server_error")
	listing := w.hook.firing(t, map[string]string{"alertname": discoveryFailing})
	w.says(listing, map[string]string{
		"alertname": discoveryFailing, "severity": "warning", "job": "aliyun-cas-exporter",
	}, "server_error")

	w.api.ClearFaults()
	w.hook.resolved(t, stale)
	w.hook.resolved(t, listing)
	w.only(dataStale, workersFailed, discoveryFailing)
}

func TestWrongKey(t *testing.T) {
	w := watching(t)
	w.api.SetCredentials("another", "key", "")
	auth := w.hook.firing(t, map[string]string{"alertname": authFailing})
	w.says(auth, map[string]string{"alertname": authFailing, "severity": "critical", "job": "aliyun-cas-exporter"}, "credentials")
	stale := w.hook.firing(t, map[string]string{"alertname": dataStale})
	listing := w.hook.firing(t, map[string]string{"alertname": discoveryFailing})
	w.says(listing, map[string]string{
		"alertname": discoveryFailing, "severity": "warning", "job": "aliyun-cas-exporter",
	}, "auth")

	w.api.SetCredentials(simulator.DemoAccessKeyID, simulator.DemoAccessKeySecret, "")
	for _, n := range []notice{auth, stale, listing} {
		w.hook.resolved(t, n)
	}
	w.only(authFailing, dataStale, discoveryFailing)
}
