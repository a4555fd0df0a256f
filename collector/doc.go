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
//   - What is older than the staleness that is allowed is absent. It never becomes 0.
//   - Describe, Collect and every format come from one table of families, so that they
//     cannot differ. What is wrong with one family hides no other.
//
// It refuses to import net/http: a scrape does no I/O, by construction.
package collector
