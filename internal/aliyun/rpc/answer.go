package rpc

import (
	"net/http"
	"time"
)

// Answer holds the facts of an answer's header. The zero value means that there was no
// answer.
type Answer struct {
	// RequestID identifies the call to Alibaba Cloud's support, empty if the header does
	// not have it.
	RequestID string
	// Date is the server's clock in whole seconds, zero if the header does not have it.
	Date time.Time
	// Arrived is the clock of this host when the header arrived.
	Arrived time.Time
}

func newAnswer(h http.Header, cred Credentials) Answer {
	a := Answer{RequestID: cred.scrub(h.Get("X-Acs-Request-Id")), Arrived: time.Now()}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		a.Date = date
	}
	return a
}
