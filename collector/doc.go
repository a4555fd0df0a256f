// Package collector watches the deployment jobs of an account and turns what it
// saw into metrics: poll, snapshot, metrics, in this direction only.
//
// What it promises:
//
//   - One cycle at a time, never overlapping, in the background: a scrape costs
//     no API call and waits for none. A sweep that outlasts the time of a
//     cycle goes on beside the next ones, which leave its job alone.
//   - A count comes from one sweep of its job that was complete by itself, or it
//     is not exported. Reads are never merged; a read in which rows moved is
//     thrown away and repeated.
//   - A job's metrics change in one step. A failed sweep changes no count: the
//     last complete ones stay until they are too old, then they disappear; they
//     never become 0.
//   - One job that fails affects no other, except where the failure is the
//     account's own: without valid credentials a cycle ends after one call.
//   - A finished job whose record is unchanged is not read again before its
//     resync is due.
//
// What it cannot see: a worker that is deleted from a page already read while
// another is inserted on a page still to come. The rows between move up by one, so
// that a worker is on no page that is read, and yet Total and the number of
// distinct ids agree. At most as many workers are missing as were counted and then
// deleted during the read.
//
// It refuses to import net/http: a scrape does no I/O, by construction.
package collector
