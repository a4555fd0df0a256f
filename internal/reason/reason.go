// Package reason names why a call or a poll failed, in one closed set that
// errors, metrics, logs and the start page share.
//
// It classifies nothing: whoever creates an error knows its reason.
package reason

import (
	"context"
	"errors"
	"fmt"
)

// Reason is why a call or a poll failed. The empty Reason means success.
type Reason string

// The closed set: alerting rules and dashboards match on these words.
const (
	Auth        Reason = "auth"         // the key, signature, token or clock is refused, or there are no credentials
	Forbidden   Reason = "forbidden"    // the identity is known and lacks the permission
	Throttled   Reason = "throttled"    // flow control of the API
	NotFound    Reason = "not_found"    // the job does not exist
	BadRequest  Reason = "bad_request"  // the API does not accept what was asked
	ServerError Reason = "server_error" // the API failed
	Timeout     Reason = "timeout"      // one of the exporter's own deadlines passed
	Network     Reason = "network"      // no whole answer arrived
	Decode      Reason = "decode"       // an answer arrived that is not what the API documents
	Incomplete  Reason = "incomplete"   // the pages of a listing do not add up
	Limit       Reason = "limit"        // the job is larger than the configured bound
)

// All returns every Reason, in the order in which documents list them.
func All() []Reason {
	return []Reason{
		Auth, Forbidden, Throttled, NotFound, BadRequest, ServerError,
		Timeout, Network, Decode, Incomplete, Limit,
	}
}

// Of returns the Reason that err carries. An expired deadline is Timeout, a
// cancellation has none, and an error from elsewhere counts as ServerError: it
// must never vanish from the metrics.
func Of(err error) Reason {
	var carrier interface{ Reason() Reason }
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &carrier):
		return carrier.Reason()
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	default:
		return ServerError
	}
}

// Errorf returns an error with a Reason, formatted as fmt.Errorf does.
func Errorf(r Reason, format string, args ...any) error {
	return reasoned{error: fmt.Errorf(format, args...), reason: r}
}

type reasoned struct {
	error
	reason Reason
}

func (e reasoned) Reason() Reason { return e.reason }

func (e reasoned) Unwrap() error { return errors.Unwrap(e.error) }
