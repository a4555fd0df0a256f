package collector_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// promises returns what each family of counts promises about its series. A family that
// counts or names workers has its row here: TestEveryExportedCountIsTrue fails without.
func promises() map[string]promise {
	return map[string]promise{
		"deployment_workers": {ofTheSweep, countsAreTrue},
		"deployment_workers_oldest_modified_timestamp_seconds": {ofTheSweep, oldestAreTrue},
		"deployment_failed_worker_modified_timestamp_seconds":  {ofTheSweep, failedAreTrue},
		"deployment_failed_workers_omitted":                    {ofTheSweep, omittedAreTrue},
		"deployment_stuck_worker_modified_timestamp_seconds":   {ofTheSweep, stuckAreTrue},
		"deployment_stuck_workers_omitted":                     {ofTheSweep, stuckOmittedAreTrue},
		"deployment_superseded_workers":                        {ofTheSweep, supersededAreTrue},
		"deployment_job_workers":                               {ofTheSweep, jobWorkersAreTrue},
		"deployment_job_reported_workers":                      {ofTheCounts, reportedAreTrue},
		"deployment_job_matched_workers":                       {ofTheCounts, matchedAreTrue},
	}
}

// promise says on what a family depends, and what is wrong with its series when that is
// known, "" if nothing is.
type promise struct {
	of    source
	wrong func(k *known, shown exposed) string
}

type source int

const (
	ofTheSweep source = iota
	ofTheCounts
)

// known is what may be exported about a job.
type known struct {
	statuses, products []string // filters
	maxNamed           int
	stuckAfter         time.Duration
	last               bool // no job has a larger id

	rows              map[string][]row // by Id, of the last complete sweep; each must count once, as one of its variants
	began, ended      time.Time        // that sweep began and ended between these times
	reported, matched int64
}

func (k *known) filtered() bool { return len(k.statuses)+len(k.products) > 0 }

// asked reports whether a group passes the filters.
func (k *known) asked(g group) bool {
	product := func(name string) bool { return strings.EqualFold(name, g.product) }
	return (len(k.statuses) == 0 || slices.Contains(k.statuses, g.status)) &&
		(len(k.products) == 0 || slices.ContainsFunc(k.products, product))
}

// exposed are the series of a job by family, without the prefix.
type exposed map[string][]series

type series struct {
	labels map[string]string
	value  float64
}

func newSeries(m *dto.Metric) series {
	s := series{labels: map[string]string{}, value: m.GetGauge().GetValue() + m.GetCounter().GetValue()}
	for _, label := range m.GetLabel() {
		s.labels[label.GetName()] = label.GetValue()
	}
	return s
}

func (s series) group() group {
	return group{s.labels["cloud_product"], s.labels["region_id"], s.labels["status"]}
}

// milliseconds returns a value that is a time.
func (s series) milliseconds() int64 { return int64(math.Round(s.value * 1000)) }

// one returns the value of a family with one series, -1 if it has none.
func (e exposed) one(family string) float64 {
	if len(e[family]) == 0 {
		return -1
	}
	return e[family][0].value
}

// counts returns the exported counts.
func (e exposed) counts() map[group]int {
	counts := map[group]int{}
	for _, s := range e["deployment_workers"] {
		counts[s.group()] = int(s.value)
	}
	return counts
}

// countsAreTrue: each worker counts once, in a group in which it was served, and each pair
// of product and region shows every status.
func countsAreTrue(k *known, shown exposed) string {
	least, most := map[group]int{}, map[group]int{}
	for _, variants := range k.rows {
		of := map[group]bool{}
		for _, v := range variants {
			of[v.group] = true
		}
		for g := range of {
			most[g]++
			if len(of) == 1 {
				least[g]++
			}
		}
	}
	counts, sum := shown.counts(), 0
	statuses := k.statuses
	if len(statuses) == 0 {
		statuses = []string{"editing", "pending", "scheduling", "processing", "success", "error", "rollback", "rollback_success", "rollback_error"}
	}
	populated := map[group]bool{}
	for g, got := range counts {
		if got < least[g] || got > most[g] {
			return fmt.Sprintf("%v: %d workers, want %d to %d", g, got, least[g], most[g])
		}
		if got == 0 && !slices.Contains(statuses, g.status) {
			return fmt.Sprintf("%v: no workers, in a status that nobody asked for", g)
		}
		if got > 0 && !k.asked(g) {
			return fmt.Sprintf("%v: nobody asked for it", g)
		}
		if got > 0 {
			populated[group{g.product, g.region, ""}] = true
		}
		delete(least, g)
		sum += got
	}
	if len(least) > 0 || sum != len(k.rows) {
		return fmt.Sprintf("the counts add up to %d of %d workers, these are missing: %v", sum, len(k.rows), least)
	}
	for g := range counts {
		pair := group{g.product, g.region, ""}
		if !populated[pair] {
			return fmt.Sprintf("%v has no workers", pair)
		}
		for _, status := range statuses {
			if _, ok := counts[group{g.product, g.region, status}]; !ok {
				return fmt.Sprintf("%v does not show %s", pair, status)
			}
		}
	}
	return ""
}

// oldestAreTrue: the time of a group is the smallest of its workers.
func oldestAreTrue(k *known, shown exposed) string {
	certain, possible := map[group]int64{}, map[group][]int64{}
	for _, variants := range k.rows {
		for _, v := range variants {
			switch {
			case v.modified == 0:
			case len(variants) > 1:
				possible[v.group] = append(possible[v.group], v.modified)
			case certain[v.group] == 0 || v.modified < certain[v.group]:
				certain[v.group] = v.modified
			}
		}
	}
	counts := shown.counts()
	for _, s := range shown["deployment_workers_oldest_modified_timestamp_seconds"] {
		g, got, want := s.group(), s.milliseconds(), certain[s.group()]
		if counts[g] == 0 {
			return fmt.Sprintf("%v: has a time and no workers", g)
		}
		if got != want && (!slices.Contains(possible[g], got) || want != 0 && got > want) {
			return fmt.Sprintf("%v: the oldest is of %d, want %d or one before of %v", g, got, want, possible[g])
		}
		delete(certain, g)
	}
	if len(certain) > 0 {
		return fmt.Sprintf("the oldest of these are missing: %v", certain)
	}
	return ""
}

// failedAreTrue: a series shows a worker as it was served, each worker once, and those
// that are left out are not older.
func failedAreTrue(k *known, shown exposed) string {
	named, newest, wrong := namedAreServed(k, shown["deployment_failed_worker_modified_timestamp_seconds"], row.fails)
	if wrong != "" {
		return wrong
	}
	certain, possible := 0, 0
	for id, variants := range k.rows {
		latest, readable := int64(0), 0
		for _, v := range variants {
			if v.fails() {
				latest = max(latest, v.modified)
				readable++
			}
		}
		possible += min(1, readable)
		if readable == len(variants) {
			certain++
			if !named[id] && latest < newest {
				return fmt.Sprintf("worker %s failed before others that are shown", id)
			}
		}
	}
	if got := len(named); got < min(certain, k.maxNamed) || got > min(possible, k.maxNamed) {
		return fmt.Sprintf("%d failed workers are shown of %d to %d, the limit is %d", got, certain, possible, k.maxNamed)
	}
	return ""
}

func (r row) fails() bool { return r.failed() && r.modified > 0 }

// namedAreServed: a series shows a worker as it was served and as it must be, and each
// worker once. It returns the workers, and the latest of their times.
func namedAreServed(k *known, all []series, should func(row) bool) (named map[string]bool, newest int64, wrong string) {
	named = map[string]bool{}
	for _, s := range all {
		l, id := s.labels, s.labels["worker_id"]
		got := row{s.group(), l["instance_id"], l["listener_id"], l["port"], l["resource_domain"], l["cert_name"], s.milliseconds()}
		if !should(got) || named[id] || !slices.Contains(k.rows[id], got) {
			return nil, 0, fmt.Sprintf("worker %s is shown as %v, want one of %v, once", id, got, k.rows[id])
		}
		named[id], newest = true, max(newest, got.modified)
	}
	return named, newest, ""
}

// stuckSince reports whether a worker that should move was last changed so long before a
// time.
func (k *known) stuckSince(r row, at time.Time) bool {
	return r.moves() && r.modified > 0 && time.UnixMilli(r.modified).Before(at.Add(-k.stuckAfter))
}

// stuckAreTrue: a series shows a worker that had not moved for so long, as it was served,
// each worker once, and at most so many.
func stuckAreTrue(k *known, shown exposed) string {
	named, _, wrong := namedAreServed(k, shown["deployment_stuck_worker_modified_timestamp_seconds"], func(r row) bool { return k.stuckSince(r, k.ended) })
	if wrong == "" && len(named) > k.maxNamed {
		wrong = fmt.Sprintf("%d stuck workers are shown, the limit is %d", len(named), k.maxNamed)
	}
	return wrong
}

// stuckOmittedAreTrue: with those that are shown, all that were stuck when the sweep began.
func stuckOmittedAreTrue(k *known, shown exposed) string {
	omitted := shown.one("deployment_stuck_workers_omitted")
	if omitted < 0 { // the job's status is not known
		return ""
	}
	if len(k.statuses) > 0 && !slices.ContainsFunc(k.statuses, func(s string) bool { return group{status: s}.moves() }) {
		return "is exported although no worker that could be stuck was read"
	}
	least, most := 0, 0
	for _, variants := range k.rows {
		certain, possible := 1, 0
		for _, v := range variants {
			if !k.stuckSince(v, k.began) {
				certain = 0
			}
			if k.stuckSince(v, k.ended) {
				possible = 1
			}
		}
		least += certain
		most += possible
	}
	named := len(shown["deployment_stuck_worker_modified_timestamp_seconds"])
	if got := named + int(omitted); got < least || got > most || omitted > 0 && named < k.maxNamed {
		return fmt.Sprintf("%d stuck workers, %v of them omitted, want %d to %d; the limit is %d", got, omitted, least, most, k.maxNamed)
	}
	return ""
}

// supersededAreTrue: of each group of failed workers some, none where no later job is, and
// nothing where workers in success are not read.
func supersededAreTrue(k *known, shown exposed) string {
	counts, all := shown.counts(), shown["deployment_superseded_workers"]
	if len(k.statuses) > 0 && !slices.Contains(k.statuses, "success") {
		if len(all) > 0 {
			return "it is exported and workers in success are not read"
		}
		return ""
	}
	for _, s := range all {
		if g := s.group(); !g.failed() || s.value > float64(counts[g]) || k.last && s.value > 0 {
			return fmt.Sprintf("%v: %v of %d are superseded; it is the last job: %v", g, s.value, counts[g], k.last)
		}
		delete(counts, s.group())
	}
	for g, n := range counts {
		if g.failed() && n > 0 {
			return fmt.Sprintf("%v: nothing says how many are superseded", g)
		}
	}
	return ""
}

// omittedAreTrue: the failed workers without a series are the others that are counted.
func omittedAreTrue(_ *known, shown exposed) string {
	want := -len(shown["deployment_failed_worker_modified_timestamp_seconds"])
	for g, n := range shown.counts() {
		if g.failed() {
			want += n
		}
	}
	if got := shown.one("deployment_failed_workers_omitted"); got != float64(want) {
		return fmt.Sprintf("got %v, want %d", got, want)
	}
	return ""
}

// jobWorkersAreTrue: all distinct workers, and nothing where only some were read.
func jobWorkersAreTrue(k *known, shown exposed) string {
	want := len(k.rows)
	if k.filtered() {
		want = -1
	}
	if got := shown.one("deployment_job_workers"); got != float64(want) {
		return fmt.Sprintf("got %v, want %d", got, want)
	}
	return ""
}

// reportedAreTrue: what the API said last, and nothing beside workers of which only some
// were read.
func reportedAreTrue(k *known, shown exposed) string {
	want := k.reported
	if k.filtered() {
		want = -1
	}
	if got := shown.one("deployment_job_reported_workers"); got != float64(want) {
		return fmt.Sprintf("got %v, want %d", got, want)
	}
	return ""
}

// matchedAreTrue: what the API said last.
func matchedAreTrue(k *known, shown exposed) string {
	if got := shown.one("deployment_job_matched_workers"); got != float64(k.matched) {
		return fmt.Sprintf("got %v, want %d", got, k.matched)
	}
	return ""
}

// strays returns the families of a job that are about workers and promise nothing.
func (e exposed) strays() (names []string) {
	for name := range e {
		if _, ok := promises()[name]; !ok && strings.Contains(name, "worker") {
			names = append(names, name)
		}
	}
	return names
}
