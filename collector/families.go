package collector

import (
	"slices"
	"time"

	"aliyun_cas_exporter/internal/cas"
)

// class says what a family's samples depend on, and so how long they hold.
type class int

const (
	always      class = iota // the outcome of polls: as long as the job is watched
	sweeps                   // the last complete sweep
	records                  // the job's record
	counted                  // the API's own counts
	certificate              // the job's certificates
)

// description is what every family has.
type description struct {
	name   string // without prefix
	help   string
	labels []string
}

// family is a family of gauges about a job. Every sample carries the labels
// account and job_id, then those of the description.
type family struct {
	description
	class   class
	samples func(v *View, e *exposition)
}

// families returns all families about jobs: the one place that names them.
func families() []family {
	group := []string{"cloud_product", "region_id", "status"}
	failed := []string{
		"worker_id", "cloud_product", "region_id", "status",
		"instance_id", "listener_id", "port", "resource_domain", "cert_name",
	}
	return []family{
		{description{"deployment_workers", "Worker tasks of a deployment job by Status, CloudProduct and RegionId of ListWorkerResource, as of the last complete sweep.", group}, sweeps, workers},
		{description{"deployment_workers_oldest_modified_timestamp_seconds", "Smallest GmtModified of the workers in this group (ListWorkerResource), as of the last complete sweep.", group}, sweeps, oldestModified},
		{description{"deployment_failed_worker_modified_timestamp_seconds", "GmtModified of a worker in error or rollback_error (ListWorkerResource), oldest first up to the limit, as of the last complete sweep.", failed}, sweeps, failedWorkers},
		{description{"deployment_failed_workers_omitted", "Failed workers without a series of their own: beyond the limit, or without a readable GmtModified, as of the last complete sweep.", nil}, sweeps, func(v *View, e *exposition) {
			e.emit(float64(v.snapshot.omitted))
		}},
		{description{"deployment_job_workers", "Distinct workers of a job (Id of ListWorkerResource), as of the last complete sweep.", nil}, sweeps, jobWorkers},
		{description{"deployment_job_reported_workers", "WorkerCount of DescribeDeploymentJobStatus: the job's workers as the API itself counts them.", nil}, counted, reportedWorkers},
		{description{"deployment_job_info", "Name, JobType and CertType of a deployment job; the value is 1.", []string{"job_name", "job_type", "cert_type"}}, records, func(v *View, e *exposition) {
			e.emit(1, v.record.value.Name, v.record.value.JobType, v.record.value.CertType)
		}},
		{description{"deployment_job_status", "Status of a deployment job: 1 for the status that it is in, 0 for the others.", []string{"status"}}, records, jobStatus},
		{description{"deployment_job_rolled_back", "Whether some worker of the job was rolled back (Rollback).", nil}, records, func(v *View, e *exposition) {
			e.emit(truth(v.record.value.RolledBack))
		}},
		jobTime("created", "GmtCreate", func(j *cas.Job) time.Time { return j.Created }),
		jobTime("modified", "GmtModified", func(j *cas.Job) time.Time { return j.Modified }),
		jobTime("schedule", "ScheduleTime", func(j *cas.Job) time.Time { return j.Schedule }),
		jobTime("start", "StartTime", func(j *cas.Job) time.Time { return j.Start }),
		jobTime("end", "EndTime", func(j *cas.Job) time.Time { return j.Ended }),
		{description{"deployment_job_certificate_not_after_timestamp_seconds", "NotAfterTime of a certificate that the job deploys (ListDeploymentJobCert).", []string{"cert_id", "cert_name", "common_name"}}, certificate, certificates},
		{description{"deployment_job_up", "Whether the last poll of the job succeeded; absent before the first poll of a job that was discovered.", nil}, always, func(v *View, e *exposition) {
			if v.Polled || v.Expected {
				e.emit(truth(v.Up))
			}
		}},
		{description{"deployment_job_last_success_timestamp_seconds", "When the job's workers were last confirmed, by a complete sweep or by the unchanged record of a finished job.", nil}, always, func(v *View, e *exposition) {
			e.instant(v.Success)
		}},
		{description{"deployment_job_last_sweep_timestamp_seconds", "When all workers of the job were last read.", nil}, always, func(v *View, e *exposition) {
			if v.snapshot != nil {
				e.instant(v.snapshot.swept)
			}
		}},
	}
}

func jobTime(name, field string, of func(*cas.Job) time.Time) family {
	name, help := "deployment_job_"+name+"_timestamp_seconds", field+" of a deployment job; absent when the API gives none."
	return family{description{name, help, nil}, records, func(v *View, e *exposition) { e.instant(of(v.record.value)) }}
}

func workers(v *View, e *exposition) {
	v.snapshot.fill(func(g group) { e.emit(float64(g.count), g.product, g.region, g.status) })
}

func oldestModified(v *View, e *exposition) {
	for _, g := range v.snapshot.groups {
		e.instant(g.oldest, g.product, g.region, g.status)
	}
}

func failedWorkers(v *View, e *exposition) {
	for _, w := range v.snapshot.failed {
		e.instant(w.at, w.labels...)
	}
}

func jobWorkers(v *View, e *exposition) {
	if !v.snapshot.filtered {
		e.emit(float64(v.snapshot.workers))
	}
}

func reportedWorkers(v *View, e *exposition) {
	filtered := v.snapshot != nil && v.snapshot.filtered
	if v.counts.value.Workers >= 0 && !filtered {
		e.emit(float64(v.counts.value.Workers))
	}
}

func jobStatus(v *View, e *exposition) {
	statuses := cas.JobStatuses()
	if !slices.Contains(statuses, v.record.value.Status) {
		statuses = append(statuses, v.record.value.Status)
	}
	for _, status := range statuses {
		e.emit(truth(status == v.record.value.Status), status)
	}
}

func certificates(v *View, e *exposition) {
	for _, c := range v.certificates.value {
		e.instant(c.at, c.labels...)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
