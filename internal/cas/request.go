package cas

import (
	"errors"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// Request is an HTTP request that ended, or could not be sent. It holds no secret.
type Request struct {
	Action      string
	JobID, Page string // as asked; empty where the action has none
	// Sent is false if there were no credentials to send it with.
	Sent bool
	Took time.Duration
	// Err is why it failed; nil if it succeeded, context.Canceled if its caller left.
	Err error
	// Code is the API's error code, or that of STS if it gave no credentials; empty
	// where no answer carried one.
	Code string
	// RequestID identifies the call to Alibaba Cloud's support, empty if it is not known.
	RequestID string
	// Skew is the API's clock minus ours, nil where the API itself did not say. The API
	// says whole seconds.
	Skew *time.Duration
}

func newRequest(action string, params map[string]string, answer rpc.Answer, err error) Request {
	r := Request{
		Action: action, JobID: params["JobId"], Page: params["CurrentPage"],
		Err: err, Code: ErrorCode(err), RequestID: answer.RequestID,
	}
	if failed, ok := errors.AsType[*rpc.Error](err); ok && failed.RequestID != "" {
		r.RequestID = failed.RequestID
	}
	// What stands between has a clock of its own.
	if !answer.Date.IsZero() && (err == nil || r.Code != "") {
		skew := answer.Date.Sub(answer.Arrived)
		r.Skew = &skew
	}
	return r
}

// ErrorCode returns the API's error code that an error carries, or that of STS if it
// gave no credentials; empty if there is none.
func ErrorCode(err error) string {
	if failed, ok := errors.AsType[*rpc.Error](err); ok {
		return failed.Code
	}
	return ""
}
