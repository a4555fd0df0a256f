// Package limit computes the least calls and time of any program that reads every worker.
package limit

import "time"

// API is what the service allows and how long it takes.
type API struct {
	PageSize    int
	Concurrency int           // requests in flight
	Rate        float64       // requests a second
	Latency     time.Duration // of one answer
}

// Pages returns the number of calls for a listing with a number of rows. An empty
// listing takes one call too.
func (a API) Pages(rows int) int { return max(1, (rows+a.PageSize-1)/a.PageSize) }

// Time returns the least duration of a number of calls: by the allowed rate or by the
// allowed number of calls in flight, whichever is longer.
func (a API) Time(calls int) time.Duration {
	atRate := time.Duration(float64(calls) / a.Rate * float64(time.Second))
	inTurn := time.Duration((calls+a.Concurrency-1)/a.Concurrency) * a.Latency
	return max(atRate, inTurn)
}
