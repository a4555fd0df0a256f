package rpc

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"aliyun_cas_exporter/internal/reason"
)

// classify decides by the code first: throttling and missing permissions can come with
// status 400, and an unknown key with 404. Products and gateways use different codes for
// the same refusal, so it looks for words in them. object says that the answer is JSON,
// not a page of something in front of the API.
func classify(status int, code string, object bool) reason.Reason {
	switch {
	case status == http.StatusTooManyRequests, isThrottling(code):
		return reason.Throttled
	case isKey(code):
		return reason.Auth
	case isDenial(code):
		return reason.Forbidden
	case status == http.StatusUnauthorized && object, isIdentity(code):
		return reason.Auth
	case isUnauthorized(code):
		return reason.Forbidden
	}
	head, _, _ := strings.Cut(code, ".")
	switch {
	case head == "InvalidApi", head == "InvalidAction", head == "InvalidVersion":
		return reason.BadRequest
	case head == "NotFound", strings.HasSuffix(code, "NotFound"), strings.HasSuffix(code, "NotExist"):
		return reason.NotFound
	case isServerError(head):
		return reason.ServerError
	case strings.HasPrefix(code, "Invalid"), strings.HasPrefix(code, "Missing"):
		return reason.BadRequest
	case status == http.StatusForbidden && object:
		return reason.Forbidden
	case status >= 300 && status < 500:
		return reason.BadRequest
	default:
		return reason.ServerError
	}
}

func isThrottling(code string) bool {
	return strings.HasPrefix(code, "Rejected.") ||
		mentions(code, "throttl", "flowcontrol", "flowlimit", "toomanyrequest", "qpslimit", "ratelimit", "requestlimit")
}

// isKey reports whether a code is about the key, the token or the signature.
func isKey(code string) bool {
	return mentions(code, "accesskey", "signature", "nonceused", "credential", "timestamp", "timetooskewed", "requestexpired",
		"securitytoken", "ststoken", "sessiontoken", "tokenexpired", "expiredtoken", "invalidtoken", "tokeninvalid")
}

// isDenial reports whether a code says that a known identity lacks a permission.
func isDenial(code string) bool {
	return mentions(code, "permission", "forbid", "privilege", "accessden", "implicitden", "explicitden", "policyden", "ramden", "notpermit", "noaccess", "riskcontrol")
}

// isIdentity reports whether a code says that the caller is not known.
func isIdentity(code string) bool {
	return mentions(code, "authenticat", "authfail", "login", "sessionexpired")
}

// isUnauthorized reports whether a code is a form of "not authorized".
func isUnauthorized(code string) bool {
	return mentions(code, "unauth", "notauth", "noauth", "authorizationfail", "authorizationden", "authorityden")
}

// mentions reports whether a code contains one of the words, ignoring case, dots and
// dashes.
func mentions(code string, words ...string) bool {
	letters := strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(code))
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(letters, word) })
}

func isServerError(head string) bool {
	switch head {
	case "ServiceUnavailable", "InternalError", "UnknownError", "SystemError", "ServiceError":
		return true
	}
	n, err := strconv.Atoi(head)
	return err == nil && n >= 500 && n < 600
}
