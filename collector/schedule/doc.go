// Package schedule decides when to read what of an account, and publishes what is
// known of each job as an immutable View.
//
// One queue for each account:
//
//   - A tick, at once and at every poll interval, lists the account's jobs. A
//     finished job whose record did not change is thereby confirmed, also while it is
//     being polled; every other one that has something to ask the API is put into the
//     queue, unless it is being polled.
//   - The queue has three lines (queue.go): jobs that fail, move, are not known, or that
//     no listing confirms; jobs at rest that are due; jobs at rest that were never
//     read. The next job is the head that has waited longest in proportion to its
//     line's period. So under overload every line slows down in proportion, and
//     nothing starves.
//   - Twice as many workers as requests may be in flight poll the next job: record,
//     workers, details. A few long sweeps hold up no other job.
//   - A round is the jobs of a tick until the last was polled.
//
// What it promises:
//
//   - A job's view changes in one step. A sweep that failed changes no count: the
//     last complete ones stay, and the view says that the job is not up.
//   - One job that fails affects no other. What is wrong with the whole account is
//     known to the API client, whose breaker makes polls fail at once.
//   - A job is never polled twice at a time, nor twice between two ticks.
//   - A finished job whose record is unchanged is not read again before its resync
//     is due, or until nothing confirmed it for half of the time after which it is
//     stale.
//   - A listing that failed adds and removes nothing.
//
// It refuses to know Prometheus: it reports through Observer.
package schedule
