// Package collector turns what is known of accounts and jobs into metrics: views →
// families, as text, OpenMetrics and protobuf.
//
// The way of a number: sweep reads pages into a Snapshot, schedule publishes it in a
// View, and here a family (families.go, accounts.go) makes samples of the view, which
// an exposition writes.
//
// What it promises:
//
//   - A scrape reads memory only. It costs no API call, waits for no poll, and shows
//     one moment of every job.
//   - Data older than the allowed staleness is absent. It never becomes 0.
//   - Describe, Collect and every format come from one table of families, so they cannot
//     differ. An error in one family hides no other.
//
// It does not import net/http: a scrape does no I/O.
package collector
