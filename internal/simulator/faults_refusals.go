package simulator

import (
	"maps"
	"net/http"
	"time"
)

const (
	plain = "text/plain"
	html  = "text/html"
	js    = "application/json"
)

// refusals are errors that the service, or what stands before it, answers.
func refusals() map[string]fault {
	const throttling = "Throttling.User"
	all := map[string]fault{
		"throttle-400":         refusing("flow control, status 400", 400, throttling),
		"throttle-429":         refusing("flow control, status 429", 429, throttling),
		"throttle-api":         refusing("flow control of the API", 400, "Throttling.Api"),
		"throttle-rejected":    refusing("flow control of the gateway", 400, "Rejected.Throttling"),
		"throttle-acs-hint":    refusing("flow control, x-acs-retry-after of 2 seconds", 429, throttling, "x-acs-retry-after", "2000"),
		"throttle-retry-after": refusing("flow control, Retry-After of 3 seconds", 429, throttling, "Retry-After", "3"),
		"throttle-retry-after-date": {does: "flow control, Retry-After with a date 4 seconds away", answer: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", time.Now().Add(4*time.Second).UTC().Format(http.TimeFormat))
			refuse(w, refusal{429, throttling, "Injected."})
		})},
		"throttle-long-hint":   refusing("flow control, Retry-After of a day", 429, throttling, "Retry-After", "86400"),
		"throttle-429-no-code": raw("status 429 without a code", 429, plain, "slow down"),

		"error-500":       refusing("InternalError", 500, "InternalError"),
		"error-503":       refusing("ServiceUnavailable", 503, "ServiceUnavailable"),
		"html-502":        raw("a gateway's page, status 502", 502, html, "<html><body>Bad Gateway</body></html>"),
		"html-403":        raw("a firewall's page, status 403", 403, html, "<html><body>Forbidden</body></html>"),
		"code-500-in-200": raw("code 500 with status 200", 200, js, `{"Code":"500","Message":"inner error","RequestId":"R"}`),
		"error-in-200":    raw("flow control with status 200", 200, js, `{"Code":"Throttling.User","Message":"slow down","RequestId":"R"}`),

		"unknown-error-in-200":        raw("an unknown code with status 200", 200, js, `{"Code":"Surprise","Message":"none","RequestId":"R"}`),
		"numeric-code":                raw("a number as code, status 500", 500, js, `{"Code":500,"Message":"number"}`),
		"object-message":              raw("an object as message, status 500", 500, js, `{"Code":"InternalError","Message":{"text":"object"}}`),
		"string-access-denied-detail": raw("a string as detail of a denial", 403, js, `{"Code":"Forbidden.RAM","Message":"denied","AccessDeniedDetail":"{\"AuthAction\":\"x\"}"}`),

		"wrong-key":       refusing("the key is unknown", 404, "InvalidAccessKeyId.NotFound"),
		"disabled-key":    refusing("the key is disabled", 400, "InvalidAccessKeyId.Inactive"),
		"wrong-signature": refusing("the signature does not match", 400, "SignatureDoesNotMatch"),
		"clock-skew":      refusing("the timestamp is expired", 400, "InvalidTimeStamp.Expired"),
		"nonce-used":      refusing("the nonce was used", 400, "SignatureNonceUsed"),
		"expired-token":   refusing("the security token is expired", 403, "InvalidSecurityToken.Expired"),
		"forbidden":       refusing("the permission is missing, status 403", 403, "Forbidden.RAM"),
		"forbidden-400":   refusing("the permission is missing, status 400", 400, "Forbidden.RAM"),
		"no-permission":   refusing("the permission is missing, another code", 403, "NoPermission"),
		"risk-control":    refusing("risk control", 403, "Forbidden.RiskControl"),
		"not-found":       refusing("the job does not exist", 404, "NotFound"),
		"bad-request":     refusing("a parameter is refused", 400, "InvalidParameter"),
		"unknown-action":  refusing("the action does not exist", 404, "InvalidAction.NotFound"),
		"unknown-4xx":     refusing("an unknown code with status 418", 418, "Teapot"),
	}
	maps.Copy(all, otherNames())
	return all
}

// otherNames are refusals by names that single products and gateways have for them.
func otherNames() map[string]fault {
	const hint = "x-acs-retry-after"
	return map[string]fault{
		"throttle-429-other-code": refusing("flow control by another name, status 429", 429, "ExceedLimit"),
		"throttle-429-page":       raw("a page, status 429", 429, html, "<html>slow down</html>"),
		"throttle-429-as-denial":  refusing("flow control by the name of a denial, status 429", 429, "Forbidden.RAM"),
		"throttle-flow-control":   refusing("flow control by another name, status 403", 403, "FlowControl.Exceeded"),
		"throttle-hint-400":       refusing("another code, x-acs-retry-after of 80 milliseconds", 400, "SystemBusy", hint, "80"),
		"throttle-hint-403":       refusing("a denial, x-acs-retry-after of a second", 403, "Denied", hint, "1000"),
		"throttle-hint-503":       refusing("ServiceUnavailable, x-acs-retry-after of a second", 503, "ServiceUnavailable", hint, " 1000 "),
		"throttle-hint-200":       {does: "another code with status 200, x-acs-retry-after of a second", answer: hinted()},

		"hint-zero":  refusing("a parameter is refused, x-acs-retry-after of 0", 400, "InvalidParameter", hint, "0"),
		"hint-empty": refusing("a parameter is refused, x-acs-retry-after is empty", 400, "InvalidParameter", hint, ""),
		"hint-word":  refusing("a parameter is refused, x-acs-retry-after is a word", 400, "InvalidParameter", hint, "soon"),

		"permission-denied":      refusing("a denial, PermissionDenied", 400, "PermissionDenied"),
		"not-authorized":         refusing("a denial, NotAuthorized", 403, "NotAuthorized"),
		"access-forbid":          refusing("a denial, AccessForbid", 400, "AccessForbid"),
		"no-auth":                refusing("a denial, NoAuth", 400, "NoAuth"),
		"insufficient-privilege": refusing("a denial, InsufficientPrivilege", 400, "InsufficientPrivilege"),
		"explicit-deny":          refusing("a denial, ExplicitDeny.Policy", 400, "ExplicitDeny.Policy"),
		"unknown-403":            refusing("an unknown code with status 403", 403, "ProductNotOpened"),
		"json-403":               raw("JSON without a code, status 403", 403, js, `{"message":"denied"}`),
		"token-expired":          refusing("the token is expired, another code", 403, "SecurityTokenExpired"),
		"sts-token-invalid":      refusing("the token is refused, another code", 400, "InvalidStsToken"),
		"unauthenticated":        refusing("the caller is not known", 403, "Unauthenticated"),
		"unknown-401":            refusing("an unknown code with status 401", 401, "Whatever"),
		"html-401":               raw("a login page, status 401", 401, html, "<html><body>Sign in</body></html>"),
		"html-407":               raw("a proxy's page, status 407", 407, html, "<html><body>Squid</body></html>"),
		"html-200":               raw("a login page, status 200", 200, html, "<!DOCTYPE html><html>Sign in</html>"),
	}
}

func hinted() http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("x-acs-retry-after", "1000")
		_, _ = w.Write([]byte(`{"Code":"SystemBusy","Message":"slow down","RequestId":"R"}`))
	}
}
