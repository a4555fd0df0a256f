// Package sweep reads all workers of one job: pages → Snapshot, complete or an
// error.
//
// What it promises:
//
//   - A Snapshot comes from reads that were each complete by themselves: the
//     distinct ids equal Total, and every page reported the same Total. A read in
//     which rows moved is thrown away and repeated, three reads at most. Reads of
//     the same pages are never merged.
//   - Each worker counts once, also where settings narrow the sweep to several
//     statuses or products, so that it consists of several listings.
//   - A larger job than allowed, or one with more groups, fails as reason.Limit.
//   - Memory grows with the groups, the failed workers and hosts that are kept, and a
//     bit for each id; not with the rows.
//
// What it cannot see: a worker that is deleted from a page already read while
// another is inserted on a page still to come. The rows between move up by one, so
// that a worker is on no page that is read, and yet Total and the number of
// distinct ids agree. At most as many workers are missing as were counted and then
// deleted during the read.
//
// It refuses to know any other job, and any clock but its deadline.
package sweep
