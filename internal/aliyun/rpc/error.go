package rpc

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"aliyun_cas_exporter/internal/reason"
)

// maxText is the maximum length of a foreign text in an error, in bytes.
const maxText = 300

// Error is a failed call: one line, free of secrets.
type Error struct {
	// Code is the API's error code, empty when no answer carried one.
	Code string
	// Status is the HTTP status, 0 when no answer arrived.
	Status int
	// RequestID identifies the call to Alibaba Cloud's support, if known.
	RequestID string
	// RetryAfter is how long the server asks to wait, 0 when it does not say.
	RetryAfter time.Duration

	reason reason.Reason
	text   string
	cause  error // kept only for context errors, which hold nothing foreign
}

// Reason is the Reason of the failure, one of the closed set.
func (e *Error) Reason() reason.Reason { return e.reason }

// Unwrap returns context.Canceled or context.DeadlineExceeded where one of
// them ended the call, else nil.
func (e *Error) Unwrap() error { return e.cause }

// Error returns the failure in one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Code != "" {
		b.WriteString(e.Code)
		b.WriteString(": ")
	}
	b.WriteString(e.text)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d", e.Status)
		if e.RequestID != "" {
			b.WriteString(", request id ")
			b.WriteString(e.RequestID)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// newError returns an Error with a text of our own.
func newError(r reason.Reason, format string, args ...any) *Error {
	return &Error{reason: r, text: oneLine(fmt.Sprintf(format, args...))}
}

// oneLine makes a foreign text fit for a log line: valid UTF-8 of bounded length, without
// control characters, invisible characters and query strings (they can be signed).
func oneLine(s string) string {
	if len(s) > 4*maxText {
		s = s[:4*maxText]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(s, "\uFFFD"))
	fields := strings.Fields(s)
	for i, field := range fields {
		if address, _, found := strings.Cut(field, "?"); found && strings.Contains(field, "=") {
			fields[i] = address + "?..."
		}
	}
	s = strings.Join(fields, " ")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "..."
	}
	return s
}
