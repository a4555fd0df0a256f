package grafana

// promised returns families that the exporter is about to export, so that the
// dashboards need no change when it does.
func promised() map[string][]string {
	return map[string][]string{
		"deployment_superseded_workers": {"account", "job_id", "cloud_product", "region_id", "status"},
		"deployment_stuck_worker_modified_timestamp_seconds": {
			"account", "cert_name", "cloud_product", "instance_id", "job_id", "listener_id", "port", "region_id", "resource_domain", "status", "worker_id",
		},
		"deployment_stuck_workers_omitted": {"account", "job_id"},
	}
}
