// Package limit computes what no program that reads every worker can do better.
package limit

import "time"

// API is what the service allows and how long it takes.
type API struct {
	PageSize    int
	Concurrency int           // requests in flight
	Rate        float64       // requests a second
	Latency     time.Duration // of one answer
}

// Pages returns the calls that a listing of so many rows takes: an empty one too
// must be asked for.
func (a API) Pages(rows int) int { return max(1, (rows+a.PageSize-1)/a.PageSize) }

// Time returns how long so many calls take at least: at the allowed rate, and with
// so many on their way at once, whichever is longer.
func (a API) Time(calls int) time.Duration {
	atRate := time.Duration(float64(calls) / a.Rate * float64(time.Second))
	inTurn := time.Duration((calls+a.Concurrency-1)/a.Concurrency) * a.Latency
	return max(atRate, inTurn)
}
