package rpc

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aliyun_cas_exporter/internal/reason"
)

const (
	maxErrorBody = 64 << 10
	maxHint      = 10 * time.Minute // a server that asks for more is not believed
)

// text is a JSON scalar as a string: gateways send numbers where the
// documentation has strings. An object or array is dropped.
type text string

// UnmarshalJSON implements json.Unmarshaler and never fails.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	switch {
	case json.Unmarshal(b, &s) == nil:
		*t = text(s)
	case b[0] != '{' && b[0] != '[' && !bytes.Equal(b, []byte("null")):
		*t = text(b)
	}
	return nil
}

// refusal is what an error answer is read for. AccessDeniedDetail is left out:
// it names the principal.
type refusal struct {
	Code      text
	Message   text
	RequestID text `json:"RequestId"`
}

// refused turns an answer that is no success into an Error; readErr is what cut
// its body short, if anything did.
func refused(resp *http.Response, cred Credentials) (e *Error, readErr error) {
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	var r refusal
	if json.Unmarshal(body, &r) != nil {
		r = refusal{}
	}
	// The server's string to sign repeats every signed parameter.
	said, _, _ := strings.Cut(string(r.Message), "server string to sign is")
	e = Refused(resp.StatusCode, string(r.Code), said, string(r.RequestID))
	e.hide(cred)
	if e.text == "" {
		e.text = "answered without an error message"
	}
	e.RetryAfter = retryAfter(resp.Header, time.Now())
	return e, readErr
}

// Refused returns the Error of an answer that carries an error code. It is for
// decoders too: CAS can send one with status 200, and Call hides what it repeats.
func Refused(status int, code, message, requestID string) *Error {
	return &Error{
		Code: oneLine(code), Status: status, RequestID: oneLine(requestID),
		reason: classify(status, code), text: oneLine(message),
	}
}

// classify goes by the code: throttling and missing permissions arrive with
// status 400 as well as with their own, and a 404 may be an unknown key.
func classify(status int, code string) reason.Reason {
	head, _, _ := strings.Cut(code, ".")
	switch {
	case strings.Contains(code, "Throttling"), strings.HasPrefix(code, "Rejected."):
		return reason.Throttled
	case isAuth(head, code):
		return reason.Auth
	case hasSegment(code, "Forbidden", "NoPermission", "AccessDenied", "Unauthorized"):
		return reason.Forbidden
	case head == "InvalidApi", head == "InvalidAction", head == "InvalidVersion":
		return reason.BadRequest
	case head == "NotFound", strings.HasSuffix(code, "NotFound"), strings.HasSuffix(code, "NotExist"):
		return reason.NotFound
	case isServerError(head):
		return reason.ServerError
	case strings.HasPrefix(code, "Invalid"), strings.HasPrefix(code, "Missing"):
		return reason.BadRequest
	case code == "" && status == http.StatusTooManyRequests:
		return reason.Throttled
	case status >= 300 && status < 500:
		return reason.BadRequest
	default:
		return reason.ServerError
	}
}

func isAuth(head, code string) bool {
	switch head {
	case "InvalidAccessKeyId", "InvalidAccessKeySecret", "SignatureDoesNotMatch", "IncompleteSignature",
		"InvalidSignature", "SignatureNonceUsed", "InvalidTimeStamp", "InvalidSecurityToken",
		"MissingSecurityToken", "MissingAccessKeyId", "InvalidCredentials":
		return true
	}
	return code == "Forbidden.AccessKeyDisabled" || code == "Forbidden.AccessKey"
}

func isServerError(head string) bool {
	switch head {
	case "ServiceUnavailable", "InternalError", "UnknownError", "SystemError", "ServiceError":
		return true
	}
	n, err := strconv.Atoi(head)
	return err == nil && n >= 500 && n < 600
}

func hasSegment(code string, words ...string) bool {
	for segment := range strings.SplitSeq(code, ".") {
		if slices.Contains(words, segment) {
			return true
		}
	}
	return false
}

// retryAfter reads how long the server asks to wait: x-acs-retry-after in
// seconds, else Retry-After in seconds or as a date, which is by the server's clock.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	for _, name := range []string{"X-Acs-Retry-After", "Retry-After"} {
		value := strings.TrimSpace(h.Get(name))
		if seconds, err := strconv.ParseFloat(value, 64); err == nil {
			if seconds > 0 && seconds < maxHint.Seconds() {
				return time.Duration(seconds * float64(time.Second))
			}
			if seconds >= maxHint.Seconds() {
				return maxHint
			}
			continue // zero, negative, NaN: no hint
		}
		if at, err := http.ParseTime(value); err == nil && at.After(now) {
			return min(at.Sub(now), maxHint)
		}
	}
	return 0
}
