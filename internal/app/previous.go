package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// A run of --once starts without memory. In an outage it would publish a file without jobs,
// and every alert about them would end although nothing was repaired. So a run can read
// the output of the previous one, and keep what a server would keep: the series of jobs
// that it could not read, until they are stale. These jobs are not up.

// families are the metric families of an exposition by name.
type families map[string]*dto.MetricFamily

func parse(text io.Reader) (families, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(text)
}

// readPrevious reads the output of the previous run; without a file there was none.
func readPrevious(path string) (families, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if errors.Is(err, fs.ErrNotExist) {
		return families{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	previous, err := parse(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return previous, nil
}

// account and job identify what a metric is about; job is empty if it is about no job.
func account(m *dto.Metric) string { return label(m, "account") + "/" + label(m, "api_region") }

func job(m *dto.Metric) string {
	if id := label(m, "job_id"); id != "" {
		return account(m) + "/" + id
	}
	return ""
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// by returns the value of each metric of a family by what it is about.
func (fs families) by(name string, about func(*dto.Metric) string) map[string]float64 {
	values := map[string]float64{}
	for _, m := range fs["aliyun_cas_"+name].GetMetric() {
		values[about(m)] = m.GetGauge().GetValue()
	}
	return values
}

// memory decides which series of the previous run are kept.
type memory struct {
	shown   map[shown]bool     // by this run
	refused map[string]bool    // actions of an account that failed last in this run
	same    map[string]bool    // jobs whose record is the same in both runs
	listed  map[string]float64 // of this run, by account
	success map[string]float64 // of the run before, by job
	oldest  float64            // success that is not stale
}

// shown is a family, without the prefix of all, that has metrics about a job.
type shown struct{ name, job string }

// shown returns what there is about jobs.
func (fs families) shown() map[shown]bool {
	all := map[shown]bool{}
	for name, family := range fs {
		for _, metric := range family.GetMetric() {
			all[shown{unprefixed(name), job(metric)}] = true
		}
	}
	return all
}

func unprefixed(name string) string { return strings.TrimPrefix(name, "aliyun_cas_") }

// keep adds the series of previous about jobs that were not read because their poll, or
// the listing, failed.
func (fs families) keep(previous families, now time.Time, maxStaleness time.Duration) {
	m := memory{
		shown: fs.shown(), listed: fs.by("discovery_up", account),
		refused: map[string]bool{}, same: map[string]bool{},
		success: previous.by("deployment_job_last_success_timestamp_seconds", job),
		oldest:  float64(now.Add(-maxStaleness).UnixMilli()) / 1000,
	}
	for _, metric := range fs["aliyun_cas_api_last_error_info"].GetMetric() {
		m.refused[account(metric)+"/"+label(metric, "action")] = true
	}
	modified := previous.by("deployment_job_modified_timestamp_seconds", job)
	for id, at := range fs.by("deployment_job_modified_timestamp_seconds", job) {
		m.same[id] = modified[id] == at
	}
	for name, family := range previous {
		for _, metric := range family.GetMetric() {
			if m.keeps(unprefixed(name), metric) {
				fs.add(family, metric)
			}
		}
	}
	// A failed listing keeps the jobs of the last one.
	watched := map[string]float64{}
	for id := range fs.by("deployment_job_up", job) {
		watched[id[:strings.LastIndex(id, "/")]]++
	}
	for _, metric := range fs["aliyun_cas_deployment_jobs"].GetMetric() {
		if m.listingFailed(metric) {
			n := watched[account(metric)]
			metric.Gauge.Value = &n
		}
	}
}

func (m *memory) listingFailed(metric *dto.Metric) bool {
	up, discovers := m.listed[account(metric)]
	return discovers && up == 0
}

// keeps reports whether a metric of the previous run is kept. A metric that this run has
// itself is not: a series that comes twice would spoil the whole file. A kept job is not up.
func (m *memory) keeps(name string, metric *dto.Metric) bool {
	id := job(metric)
	read, polled := m.shown[shown{"deployment_job_last_sweep_timestamp_seconds", id}], m.shown[shown{"deployment_job_up", id}]
	if id == "" || m.shown[shown{name, id}] || metric.GetGauge() == nil {
		return false
	}
	if read || !polled && !m.listingFailed(metric) {
		// As a server does, keep details that could not be read while the record is the same.
		return read && m.same[id] && m.refused[account(metric)+"/"+actionOf(name)] && m.success[id] >= m.oldest
	}
	switch strings.TrimPrefix(name, "deployment_job_") {
	case "up":
		metric.Gauge.Value = new(float64)
		return true
	case "last_success_timestamp_seconds", "last_sweep_timestamp_seconds":
		return true
	case "created_timestamp_seconds", "modified_timestamp_seconds", "schedule_timestamp_seconds", "start_timestamp_seconds", "end_timestamp_seconds":
		// If the record was read, a missing time is gone.
		return !m.shown[shown{"deployment_job_info", id}] && m.success[id] >= m.oldest
	default:
		return m.success[id] >= m.oldest
	}
}

// actionOf returns the action that brings a family of details, "" if none does.
func actionOf(name string) string {
	switch name {
	case "deployment_job_certificate_not_after_timestamp_seconds":
		return "ListDeploymentJobCert"
	case "deployment_job_reported_workers", "deployment_job_matched_workers":
		return "DescribeDeploymentJobStatus"
	default:
		return ""
	}
}

// add puts a metric into the family that it had.
func (fs families) add(family *dto.MetricFamily, m *dto.Metric) {
	own := fs[family.GetName()]
	if own == nil {
		own = &dto.MetricFamily{Name: family.Name, Help: family.Help, Type: family.Type}
		fs[family.GetName()] = own
	}
	own.Metric = append(own.Metric, m)
}

func (fs families) write(out io.Writer) error {
	for _, name := range slices.Sorted(maps.Keys(fs)) {
		if _, err := expfmt.MetricFamilyToText(out, fs[name]); err != nil {
			return err
		}
	}
	return nil
}
