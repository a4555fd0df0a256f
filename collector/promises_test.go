package collector_test

import (
	"fmt"
	"math"
	"slices"
	"strings"

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
		"deployment_job_workers":                               {ofTheSweep, jobWorkersAreTrue},
		"deployment_job_reported_workers":                      {ofTheCounts, reportedAreTrue},
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
	maxFailed          int

	rows     map[string][]row // by Id, of the last complete sweep; each must count once, as one of its variants
	reported int64
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
	s := series{labels: map[string]string{}, value: m.GetGauge().GetValue()}
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
	const family = "deployment_failed_worker_modified_timestamp_seconds"
	var newest int64
	named := map[string]bool{}
	for _, s := range shown[family] {
		l, id := s.labels, s.labels["worker_id"]
		got := row{s.group(), l["instance_id"], l["listener_id"], l["port"], l["resource_domain"], l["cert_name"], s.milliseconds()}
		if !got.failed() || got.modified == 0 || named[id] || !slices.Contains(k.rows[id], got) {
			return fmt.Sprintf("worker %s is shown as %v, want one of %v, once", id, got, k.rows[id])
		}
		named[id], newest = true, max(newest, got.modified)
	}
	certain, possible := 0, 0
	for id, variants := range k.rows {
		latest, readable := int64(0), 0
		for _, v := range variants {
			if v.failed() && v.modified > 0 {
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
	if got := len(named); got < min(certain, k.maxFailed) || got > min(possible, k.maxFailed) {
		return fmt.Sprintf("%d failed workers are shown of %d to %d, the limit is %d", got, certain, possible, k.maxFailed)
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

// strays returns the families of a job that are about workers and promise nothing.
func (e exposed) strays() (names []string) {
	for name := range e {
		if _, ok := promises()[name]; !ok && strings.Contains(name, "worker") {
			names = append(names, name)
		}
	}
	return names
}
