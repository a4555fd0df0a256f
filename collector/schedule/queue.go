package schedule

import (
	"cmp"
	"slices"
	"time"
)

// line is why a job waits. The order breaks ties.
type line int

const (
	moving line = iota // it fails, moves, has failed workers, is not known, or no listing confirms it: due at every tick
	due                // at rest: its resync is due, its data would go stale, or details are missing
	unread             // at rest, never read
	lines
)

// lineOf returns the line in which a listed job waits.
func lineOf(v *View) line {
	record := v.Record.Value
	switch {
	case v.Snapshot != nil && v.Snapshot.HasFailed(), v.Polled && !v.Up:
		return moving
	case !v.Record.Known(), !record.Finished(), record.Status == "error", record.RolledBack:
		return moving
	case v.Snapshot == nil && (v.Counts.Value.Failed > 0 || v.Counts.Value.RollbackFailed > 0): // by the API's own counts
		return moving
	case v.Snapshot == nil:
		return unread
	default:
		return due
	}
}

// queue holds the jobs that wait for a poll: in each line the one first that was not
// polled for longest. The next job is the head that has waited longest in proportion to
// its line's period. So under overload every line slows down in proportion, and
// nothing starves. It is not safe for concurrent use.
type queue struct {
	periods  [lines]time.Duration
	unlisted bool // each job is asked about at every tick, as there is no listing
	waiting  [lines][]*job
}

func newQueue(o *Options) queue {
	return queue{
		periods:  [lines]time.Duration{moving: o.PollInterval, due: o.ResyncInterval, unread: o.ResyncInterval},
		unlisted: o.Discovery == nil,
	}
}

// lineOf returns the line of a job. Without a listing that confirms it, a job at rest that
// was read is due at every tick.
func (q *queue) lineOf(j *job) line {
	l := lineOf(j.view.Load())
	if l == due && q.unlisted {
		return moving
	}
	return l
}

// fill replaces the jobs that wait.
func (q *queue) fill(jobs []*job) {
	for l := range q.waiting {
		q.waiting[l] = q.waiting[l][:0]
	}
	for _, j := range jobs {
		l := q.lineOf(j)
		q.waiting[l] = append(q.waiting[l], j)
	}
	for _, l := range q.waiting {
		slices.SortFunc(l, func(a, b *job) int {
			return cmp.Or(a.waitingSince().Compare(b.waitingSince()), cmp.Compare(b.id, a.id)) // renewals have the larger ids
		})
	}
}

// add puts a job that was just polled behind the others of its line.
func (q *queue) add(j *job) {
	l := q.lineOf(j)
	q.waiting[l] = append(q.waiting[l], j)
}

// next takes the next job out of the queue; nil if none waits.
func (q *queue) next(now time.Time) *job {
	first, longest := lines, -1.0
	for l, waiting := range q.waiting {
		if len(waiting) == 0 {
			continue
		}
		if waited := now.Sub(waiting[0].waitingSince()).Seconds() / q.periods[l].Seconds(); waited > longest {
			first, longest = line(l), waited
		}
	}
	if first == lines {
		return nil
	}
	j := q.waiting[first][0]
	q.waiting[first] = q.waiting[first][1:]
	return j
}
