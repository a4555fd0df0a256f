package rpc

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aliyun_cas_exporter/internal/reason"
)

const (
	maxErrorBody = 64 << 10
	maxHint      = 10 * time.Minute // a server that asks for more is not believed
)

// between explains a web page or a redirect: the API never sends one.
const between = "something stands between the exporter and the API, such as a proxy, a firewall or a login page"

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

// refusal holds the fields of an error answer that are read. AccessDeniedDetail is left
// out, because it names the principal.
type refusal struct {
	Code      text
	Message   text
	RequestID text `json:"RequestId"`
}

// refused turns a failed answer into an Error; readErr is the error that ended its body
// early, if any.
func refused(resp *http.Response) (e *Error, readErr error) {
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	var r refusal
	object := json.Unmarshal(body, &r) == nil
	if !object {
		r = refusal{}
	}
	// The server may repeat its string to sign, with every signed parameter.
	said, _, _ := strings.Cut(string(r.Message), "server string to sign is")
	e = Refused(resp.StatusCode, string(r.Code), said, string(r.RequestID))
	e.reason = classify(resp.StatusCode, string(r.Code), object)
	switch {
	case e.text != "":
	case resp.StatusCode == http.StatusProxyAuthRequired:
		e.text = proxyRefusal(resp.StatusCode).Error()
	case resp.StatusCode/100 == 3:
		e.text = "answered with a redirect, which is not followed: " + between
	case !object && WebPage(body) != nil:
		e.text = WebPage(body).text
	default:
		e.text = "answered without an error message"
	}
	e.hinted(resp.Header)
	return e, readErr
}

// Refused returns the Error of an answer with an error code. Decoders need it too,
// because CAS can send one with status 200. Call hides the secrets in it.
func Refused(status int, code, message, requestID string) *Error {
	return &Error{
		Code: oneLine(code), Status: status, RequestID: oneLine(requestID),
		reason: classify(status, code, true), text: oneLine(message),
	}
}

// Undocumented returns the Error of an answer of the API that is not as documented.
func Undocumented(err error, requestID string) *Error {
	return &Error{RequestID: oneLine(requestID), reason: reason.Decode, text: oneLine(err.Error())}
}

// hinted sets how long the server asks to wait. A gateway that sets x-acs-retry-after
// has throttled the call, whatever its code is.
func (e *Error) hinted(h http.Header) {
	var flow bool
	e.RetryAfter, flow = retryAfter(h, time.Now())
	if flow {
		e.reason = reason.Throttled
	}
}

// WebPage returns an Error if a text begins like a web page, else nil.
func WebPage(body []byte) *Error {
	begin := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(body[:min(len(body), 512)], []byte("\xef\xbb\xbf"))))
	if _, after, prolog := bytes.Cut(begin, []byte("?>")); prolog && bytes.HasPrefix(begin, []byte("<?xml")) {
		begin = bytes.TrimSpace(after) // XHTML
	}
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<body", "<title", "<meta", "<script", "<style", "<center", "<h1", "<div", "<!--"} {
		if bytes.HasPrefix(begin, []byte(tag)) {
			return newError(reason.Decode, "answered with a web page: %s", between)
		}
	}
	return nil
}

// retryAfter reads how long the server asks to wait: x-acs-retry-after in
// milliseconds, which means flow control, else Retry-After in seconds or as a date of
// the server's clock.
func retryAfter(h http.Header, now time.Time) (wait time.Duration, flow bool) {
	if wait = hint(h.Get("X-Acs-Retry-After"), time.Millisecond); wait > 0 {
		return wait, true
	}
	value := h.Get("Retry-After")
	if wait = hint(value, time.Second); wait > 0 {
		return wait, false
	}
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return min(at.Sub(now), maxHint), false
	}
	return 0, false
}

// hint reads a number of units, 0 unless it is a positive number.
func hint(value string, unit time.Duration) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || math.IsInf(n, 0) || !(n > 0) { // NaN is not above 0 either
		return 0
	}
	return time.Duration(min(n*float64(unit), float64(maxHint)))
}
