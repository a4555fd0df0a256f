package server

import (
	"cmp"
	"strings"

	"aliyun_cas_exporter/internal/reason"
)

// classOf groups statuses by what they mean for an operator.
func classOf(status string) string {
	switch status {
	case "success":
		return "good"
	case "error", "rollback_error":
		return "bad"
	case "scheduling", "processing", "rollback":
		return "moving"
	case "editing", "pending", "rollback_success":
		return "resting"
	default:
		return "other"
	}
}

// advice says what to do about a failed poll.
func advice(r reason.Reason) string {
	return map[reason.Reason]string{
		"auth":         "Check the access key, its token and this host's clock.",
		"forbidden":    "Grant the actions of deploy/ram-policy.json to this identity.",
		"throttled":    "Lower CAS_REQUESTS_PER_SECOND, or find who else uses the quota.",
		"not_found":    "The job does not exist in this account: remove it from CAS_JOB_IDS.",
		"bad_request":  "The API refuses the request: check CAS_ENDPOINT and CAS_REGION_ID.",
		"server_error": "The API fails; it is asked again at every poll.",
		"timeout":      "The API is slow: raise CAS_REQUEST_TIMEOUT if that lasts.",
		"network":      "Check DNS, the proxy and the firewall between here and the API.",
		"decode":       "The answer is not what the API documents: look for a proxy that changes it.",
		"incomplete":   "Rows move while they are read, as in a running job; it is read again at the next poll.",
		"limit":        "The job is larger than CAS_MAX_WORKERS_PER_JOB.",
	}[r]
}

// runbookOf returns the runbook's section about polls that fail for a reason.
func runbookOf(r reason.Reason) string {
	alert := map[reason.Reason]string{
		"auth": "AliyunCasAuthFailing", "forbidden": "AliyunCasPermissionMissing", "throttled": "AliyunCasThrottled",
	}[r]
	return section(cmp.Or(alert, "AliyunCasDataStale"))
}

// section returns the place of an alert in the runbooks.
func section(alert string) string { return "#" + strings.ToLower(alert) }
