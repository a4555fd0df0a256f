package collector

import (
	"slices"
	"time"

	"aliyun_cas_exporter/collector/schedule"
	"aliyun_cas_exporter/collector/sweep"
	"aliyun_cas_exporter/internal/cas"
)

// family is a family of gauges about a job. Every sample carries the labels
// account and job_id, then those of the description.
type family struct {
	description
	class   schedule.Class
	samples func(v *schedule.View, e *exposition)
}

// families returns all families about jobs: the one place that names them.
func families() []family {
	group := []string{"cloud_product", "region_id", "status"}
	failed := []string{
		"worker_id", "cloud_product", "region_id", "status",
		"instance_id", "listener_id", "port", "resource_domain", "cert_name",
	}
	return []family{
		{description{"deployment_workers", "Worker tasks of a deployment job by Status, CloudProduct and RegionId of ListWorkerResource, as of the last complete sweep.", group}, schedule.Sweeps, workers},
		{description{"deployment_workers_oldest_modified_timestamp_seconds", "Smallest GmtModified of the workers in this group (ListWorkerResource), as of the last complete sweep.", group}, schedule.Sweeps, oldestModified},
		{description{"deployment_failed_worker_modified_timestamp_seconds", "GmtModified of a worker in error or rollback_error (ListWorkerResource), oldest first up to the limit, as of the last complete sweep.", failed}, schedule.Sweeps, failedWorkers},
		{description{"deployment_failed_workers_omitted", "Failed workers without a series of their own: beyond the limit, or without a readable GmtModified, as of the last complete sweep.", nil}, schedule.Sweeps, func(v *schedule.View, e *exposition) {
			e.emit(float64(v.Snapshot.FailedOmitted))
		}},
		{description{"deployment_stuck_worker_modified_timestamp_seconds", "GmtModified of a worker in pending, scheduling, processing or rollback for longer than CAS_STUCK_AFTER whose job runs or has ended (ListWorkerResource), oldest first up to the limit, as of the last complete sweep.", failed}, schedule.Sweeps, stuckWorkers},
		{description{"deployment_stuck_workers_omitted", "Stuck workers without a series of their own: beyond the limit, as of the last complete sweep.", nil}, schedule.Sweeps, func(v *schedule.View, e *exposition) {
			if v.Snapshot.TellsStuck && v.ShowsStuck() {
				e.emit(float64(v.Snapshot.StuckOmitted))
			}
		}},
		{description{"deployment_superseded_workers", "Failed workers of a job by Status, CloudProduct and RegionId whose resource a worker of a later job (larger JobId) has reached, in status success (ListWorkerResource), as of the last complete sweeps.", group}, schedule.Sweeps, func(v *schedule.View, e *exposition) {
			v.Superseded(func(g *sweep.Group, n int) { e.emit(float64(n), g.CloudProduct, g.RegionID, g.Status) })
		}},
		{description{"deployment_job_workers", "Distinct workers of a job (Id of ListWorkerResource), as of the last complete sweep.", nil}, schedule.Sweeps, jobWorkers},
		{description{"deployment_job_reported_workers", "WorkerCount of DescribeDeploymentJobStatus: the job's workers as the API itself counts them.", nil}, schedule.Counts, reportedWorkers},
		{description{"deployment_job_matched_workers", "MatchWorkerCount of DescribeDeploymentJobStatus: workers whose resource the certificate fits, as the API itself counts them.", nil}, schedule.Counts, func(v *schedule.View, e *exposition) {
			if v.Counts.Value.Matched >= 0 {
				e.emit(float64(v.Counts.Value.Matched))
			}
		}},
		{description{"deployment_job_info", "Name, JobType and CertType of a deployment job; the value is 1.", []string{"job_name", "job_type", "cert_type"}}, schedule.Records, func(v *schedule.View, e *exposition) {
			e.emit(1, v.Record.Value.Name, v.Record.Value.JobType, v.Record.Value.CertType)
		}},
		{description{"deployment_job_status", "Status of a deployment job: 1 for the status that it is in, 0 for the others.", []string{"status"}}, schedule.Records, jobStatus},
		{description{"deployment_job_rolled_back", "Whether some worker of the job was rolled back (Rollback).", nil}, schedule.Records, func(v *schedule.View, e *exposition) {
			e.emit(truth(v.Record.Value.RolledBack))
		}},
		jobTime("created", "GmtCreate", func(j *cas.Job) time.Time { return j.Created }),
		jobTime("modified", "GmtModified", func(j *cas.Job) time.Time { return j.Modified }),
		jobTime("schedule", "ScheduleTime", func(j *cas.Job) time.Time { return j.Schedule }),
		jobTime("start", "StartTime", func(j *cas.Job) time.Time { return j.Start }),
		jobTime("end", "EndTime", func(j *cas.Job) time.Time { return j.Ended }),
		{description{"deployment_job_certificate_not_after_timestamp_seconds", "NotAfterTime of a certificate that the job deploys (ListDeploymentJobCert).", []string{"cert_id", "cert_name", "common_name"}}, schedule.Certificates, certificates},
		{description{"deployment_job_up", "Whether the last poll of the job succeeded; absent before the first poll of a job that was discovered.", nil}, schedule.Always, func(v *schedule.View, e *exposition) {
			if v.Polled || v.Configured {
				e.emit(truth(v.Up))
			}
		}},
		{description{"deployment_job_last_success_timestamp_seconds", "When the job's workers were last confirmed, by a complete sweep or by the unchanged record of a finished job.", nil}, schedule.Always, func(v *schedule.View, e *exposition) {
			e.instant(v.Success)
		}},
		{description{"deployment_job_last_sweep_timestamp_seconds", "When all workers of the job were last read.", nil}, schedule.Always, func(v *schedule.View, e *exposition) {
			if v.Snapshot != nil {
				e.instant(v.Snapshot.Swept)
			}
		}},
	}
}

func jobTime(name, field string, of func(*cas.Job) time.Time) family {
	name, help := "deployment_job_"+name+"_timestamp_seconds", field+" of a deployment job; absent when the API gives none."
	return family{description{name, help, nil}, schedule.Records, func(v *schedule.View, e *exposition) { e.instant(of(v.Record.Value)) }}
}

func workers(v *schedule.View, e *exposition) {
	v.Snapshot.AllGroups(func(g sweep.Group) { e.emit(float64(g.Workers), g.CloudProduct, g.RegionID, g.Status) })
}

func oldestModified(v *schedule.View, e *exposition) {
	for _, g := range v.Snapshot.Groups {
		e.instant(g.Oldest, g.CloudProduct, g.RegionID, g.Status)
	}
}

func failedWorkers(v *schedule.View, e *exposition) { named(v.Snapshot.Failed, e) }

func stuckWorkers(v *schedule.View, e *exposition) {
	if v.ShowsStuck() {
		named(v.Snapshot.Stuck, e)
	}
}

func named(workers []sweep.Worker, e *exposition) {
	for i := range workers {
		w := &workers[i]
		e.instant(w.Modified, w.WorkerID, w.CloudProduct, w.RegionID, w.Status, w.InstanceID, w.ListenerID, w.Port, w.ResourceDomain, w.CertName)
	}
}

func jobWorkers(v *schedule.View, e *exposition) {
	if !v.Snapshot.Filtered {
		e.emit(float64(v.Snapshot.Workers))
	}
}

// reportedWorkers emits the API's own count only beside a sweep to compare it with.
func reportedWorkers(v *schedule.View, e *exposition) {
	if v.Counts.Value.Workers >= 0 && v.Snapshot != nil && !v.Snapshot.Filtered {
		e.emit(float64(v.Counts.Value.Workers))
	}
}

func jobStatus(v *schedule.View, e *exposition) {
	statuses := cas.JobStatuses()
	if !slices.Contains(statuses, v.Record.Value.Status) {
		statuses = append(statuses, v.Record.Value.Status)
	}
	for _, status := range statuses {
		e.emit(truth(status == v.Record.Value.Status), status)
	}
}

func certificates(v *schedule.View, e *exposition) {
	for i := range v.Certificates.Value {
		c := &v.Certificates.Value[i]
		e.instant(c.NotAfter, c.ID, c.Name, c.CommonName)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
