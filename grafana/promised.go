package grafana

// promised returns families that the exporter is about to export, so that the
// dashboards need no change when it does.
func promised() map[string][]string {
	account := []string{"account"}
	job := []string{"account", "job_id"}
	return map[string][]string{
		"api_clock_skew_seconds":        account,
		"api_last_error_info":           {"account", "action", "reason", "code"},
		"api_up":                        account,
		"deployment_superseded_workers": {"account", "job_id", "cloud_product", "region_id", "status"},
		"deployment_stuck_worker_modified_timestamp_seconds": {
			"account", "cert_name", "cloud_product", "instance_id", "job_id", "listener_id", "port", "region_id", "resource_domain", "status", "worker_id",
		},
		"deployment_stuck_workers_omitted": job,
	}
}
