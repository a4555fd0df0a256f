package simulator

import (
	"encoding/json"
	"net/http"
)

// refusal is an error as the gateway answers it.
type refusal struct {
	status        int
	code, message string
}

func refuse(w http.ResponseWriter, p refusal) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.Header().Set("X-Acs-Request-Id", requestID)
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(p.body())
}

func (p refusal) body() map[string]any {
	body := map[string]any{
		"RequestId": requestID, "HostId": "cas.aliyuncs.com", "Code": p.code, "Message": p.message,
		"Recommend": "https://api.aliyun.com/troubleshoot?q=" + p.code + "&product=cas",
	}
	if p.status == http.StatusForbidden {
		body["AccessDeniedDetail"] = map[string]any{
			"AuthAction": "yundun-cert:Read", "AuthPrincipalType": "SubUser",
			"AuthPrincipalDisplayName": "someone@example.com", "NoPermissionType": "ImplicitDeny",
		}
	}
	return body
}

const requestID = "5E0F3A52-0000-5000-8000-51A0DE300000"
