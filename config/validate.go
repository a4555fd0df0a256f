package config

import (
	"errors"
	"math"
	"os"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
)

// validate checks the settings and fills in the defaults that depend on others.
func (l *loader) validate() {
	l.accounts()
	l.jobs()
	l.discovery()
	l.watched()
	l.workers()
	l.times()
	l.requests()
	l.shards()
	l.web()
	l.oneOf("CAS_LOG_FORMAT", List{l.LogFormat}, "logfmt", "json")
	if l.Demo || l.Mode == Healthcheck {
		return // the simulator has an address and a key of its own; a health check asks neither
	}
	l.proxy()
	l.regions()
	l.Key = l.key()
}

func (l *loader) accounts() {
	for _, item := range l.Accounts {
		name, arn, ok := strings.Cut(item, ":")
		id, isRole := roleAccount(arn)
		switch {
		case strings.ContainsAny(arn, ";| \t\n"):
			l.fault("CAS_ACCOUNTS", "accounts must be separated by commas")
		case !ok || !regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`).MatchString(name):
			l.fault("CAS_ACCOUNTS", "%s is not name:role-arn; a name has letters, digits, dots, dashes and underscores", quote(item))
		case !isRole:
			l.fault("CAS_ACCOUNTS", "the role of account %s is not like acs:ram::123456789012****:role/name", name)
		case slices.ContainsFunc(l.Watched, func(a Account) bool { return a.Name == name }):
			l.fault("CAS_ACCOUNTS", "account %s is named twice", name)
		case slices.ContainsFunc(l.Watched, func(a Account) bool { return a.ID == id }):
			l.fault("CAS_ACCOUNTS", "account %s has the number of another: its jobs would be read twice, at twice the rate", name)
		default:
			l.Watched = append(l.Watched, Account{name, arn, id})
		}
	}
	if l.RoleArn != "" {
		if _, ok := roleAccount(l.RoleArn); !ok {
			l.fault("CAS_ROLE_ARN", "is not like acs:ram::123456789012****:role/name")
		}
	}
	if !regexp.MustCompile(`^[a-zA-Z0-9.@_-]{2,64}$`).MatchString(l.RoleSessionName) {
		l.fault("CAS_ROLE_SESSION_NAME", "%s is not 2 to 64 letters, digits and . @ - _", quote(l.RoleSessionName))
	}
	if len(l.Watched) == 0 {
		l.Watched = []Account{{}}
	}
}

// roleAccount returns the account of a role's ARN. It accepts only characters of a name
// and its path, so that a list with a wrong separator is not read as one role.
func roleAccount(arn string) (id string, ok bool) {
	m := regexp.MustCompile(`^acs:ram::(\d+):role/[\w.@/-]+$`).FindStringSubmatch(arn)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// jobs reads ids as they must be written: name/id with CAS_ACCOUNTS, region/id with
// several regions, name/region/id with both.
func (l *loader) jobs() {
	accounts, regions := len(l.Accounts) > 0, len(l.RegionId) > 1
	form, with := "a job id without a name or region", ""
	switch {
	case accounts && regions:
		form, with = "name/region/id", " with a name of CAS_ACCOUNTS and a region of CAS_REGION_ID"
	case accounts:
		form, with = "name/id", " with a name of CAS_ACCOUNTS"
	case regions:
		form, with = "region/id", " with a region of CAS_REGION_ID"
	}
	for _, item := range l.JobIds {
		parts := strings.Split(item, "/")
		number := parts[len(parts)-1]
		id, err := strconv.ParseInt(number, 10, 64)
		ref := JobRef{ID: id}
		if accounts {
			ref.Account = parts[0]
		}
		if regions {
			ref.Region = parts[max(0, len(parts)-2)]
		}
		switch {
		case err != nil || id <= 0:
			l.fault("CAS_JOB_IDS", "%s is not a job id such as 8888", quote(number))
		case len(parts) != 1+strings.Count(form, "/"),
			accounts && !slices.ContainsFunc(l.Watched, func(a Account) bool { return a.Name == ref.Account }),
			regions && !slices.Contains(l.RegionId, ref.Region):
			l.fault("CAS_JOB_IDS", "%s must be %s%s", quote(item), form, with)
		case !slices.Contains(l.Jobs, ref):
			l.Jobs = append(l.Jobs, ref)
		}
	}
}

func (l *loader) discovery() {
	unset(&l.Discovery, len(l.JobIds) == 0)
	if l.Demo {
		*l.Discovery = true
	}
	l.oneOf("CAS_DISCOVERY_STATUSES", l.DiscoveryStatuses, "editing", "pending", "scheduling", "processing", "success", "error")
	for _, t := range l.DiscoveryJobTypes {
		if !slices.Contains([]string{"user", "cloud", "trustee"}, t) {
			l.warn("CAS_DISCOVERY_JOB_TYPES: %s is not a documented type of job", quote(t))
		}
	}
	if l.DiscoveryNameRegexp != "" {
		name, err := regexp.Compile(l.DiscoveryNameRegexp)
		if err != nil {
			why := err.Error()
			if problem, ok := errors.AsType[*syntax.Error](err); ok {
				why = string(problem.Code) // without the expression, however long
			}
			l.fault("CAS_DISCOVERY_NAME_REGEXP", "%s is not a regular expression: %s", quote(l.DiscoveryNameRegexp), why)
		}
		l.DiscoveryName = name
	}
}

// watched checks that each account has something to watch.
func (l *loader) watched() {
	if l.failed("CAS_DISCOVERY") || l.failed("CAS_JOB_IDS") {
		return
	}
	for _, a := range l.Watched {
		switch {
		case *l.Discovery || slices.ContainsFunc(l.Jobs, func(j JobRef) bool { return j.Account == a.Name }):
		case a.Name == "":
			l.fault("CAS_DISCOVERY", "is off and CAS_JOB_IDS is empty: there is nothing to watch")
		default:
			l.fault("CAS_DISCOVERY", "is off and CAS_JOB_IDS has no job of account %s: there is nothing to watch", a.Name)
		}
	}
}

func (l *loader) workers() {
	l.oneOf("CAS_STATUSES", l.Statuses, "editing", "pending", "scheduling", "processing", "success", "error",
		"rollback", "rollback_success", "rollback_error")
	l.products()
	l.between("CAS_MAX_WORKERS_PER_JOB", l.MaxWorkersPerJob, 1, 100_000_000)
	l.between("CAS_MAX_GROUPS_PER_JOB", l.MaxGroupsPerJob, 1, 1_000_000)
	l.between("CAS_MAX_JOBS", l.MaxJobs, 1, 10_000_000)
	l.between("CAS_FAILED_WORKER_LIMIT", l.FailedWorkerLimit, 0, 1_000_000)
	l.between("CAS_PROBE_TARGETS_PER_JOB", l.ProbeTargetsPerJob, 0, 10_000)
	if l.ProbeTargetsPerJob > 0 && len(l.Statuses) > 0 && !slices.Contains(l.Statuses, "success") {
		l.warn("CAS_PROBE_TARGETS_PER_JOB has no effect: CAS_STATUSES leaves out success")
	}
}

func (l *loader) oneOf(name string, values List, allowed ...string) {
	for _, value := range values {
		if !slices.Contains(allowed, value) {
			l.fault(name, "%s is not one of %s", quote(value), strings.Join(allowed, ", "))
		}
	}
}

func (l *loader) between(name string, n, least, most int) {
	if !l.failed(name) && (n < least || n > most) {
		l.fault(name, "%d is not between %d and %d", n, least, most)
	}
}

func (l *loader) times() {
	if !l.failed("CAS_STUCK_AFTER") && l.StuckAfter <= 0 {
		l.fault("CAS_STUCK_AFTER", "%v is not above 0", l.StuckAfter)
	}
	if l.DiscoveryMaxAge < 0 {
		l.fault("CAS_DISCOVERY_MAX_AGE", "%v is negative; 0 means no limit", l.DiscoveryMaxAge)
	}
	// The demo's jobs move within minutes, so it polls faster.
	unset(&l.PollInterval, Duration(map[bool]time.Duration{false: time.Minute, true: 10 * time.Second}[l.Demo]))
	poll := *l.PollInterval
	if poll < Duration(100*time.Millisecond) || poll > Duration(24*time.Hour) {
		l.fault("CAS_POLL_INTERVAL", "%v is not between 100ms and 24h", poll)
		poll = Duration(time.Minute) // the others are measured by it
	}
	checked := !l.failed("CAS_POLL_INTERVAL")
	if l.ResyncInterval != nil && checked && *l.ResyncInterval < poll {
		l.fault("CAS_RESYNC_INTERVAL", "%v is less than CAS_POLL_INTERVAL (%v)", *l.ResyncInterval, poll)
	}
	if l.MaxStaleness != nil && checked && *l.MaxStaleness < 2*poll {
		l.fault("CAS_MAX_STALENESS", "%v is less than two poll intervals (%v)", *l.MaxStaleness, 2*poll)
	}
	unset(&l.ResyncInterval, max(Duration(time.Hour), poll))
	unset(&l.MaxStaleness, max(3*poll, Duration(10*time.Minute)))
}

func (l *loader) requests() {
	if !l.failed("CAS_REQUEST_TIMEOUT") && (l.RequestTimeout < Duration(100*time.Millisecond) || l.RequestTimeout > Duration(5*time.Minute)) {
		l.fault("CAS_REQUEST_TIMEOUT", "%v is not between 100ms and 5m", l.RequestTimeout)
	}
	// The demo has no quota to spare.
	unset(&l.RequestsPerSecond, map[bool]float64{false: 5, true: 50}[l.Demo])
	rate := *l.RequestsPerSecond
	switch {
	case math.IsNaN(rate) || rate < 0.001 || rate > 10_000:
		l.fault("CAS_REQUESTS_PER_SECOND", "%v is not between 0.001 and 10000", rate)
	case rate > 10 && !l.Demo:
		l.warn("CAS_REQUESTS_PER_SECOND: %v is more than the 10 that the API documents for all clients of an account", rate)
	}
	l.between("CAS_CONCURRENCY", l.Concurrency, 1, 256)
	l.between("CAS_MAX_ATTEMPTS", l.MaxAttempts, 1, 20)
	l.between("CAS_PAGE_SIZE", l.PageSize, 1, 1000)
}

// shards finds the shard's number where a StatefulSet puts it.
func (l *loader) shards() {
	l.between("CAS_TOTAL_SHARDS", l.TotalShards, 1, 10_000)
	if l.Shard == nil && l.TotalShards > 1 && !l.failed("CAS_SHARD") {
		pod := l.env["POD_NAME"]
		if pod == "" {
			pod, _ = os.Hostname()
		}
		if ordinal, err := strconv.Atoi(pod[strings.LastIndex(pod, "-")+1:]); err == nil {
			l.Shard = &ordinal
		} else {
			l.warn("CAS_SHARD is empty, and neither POD_NAME nor the host name ends with a number: this is shard 0")
		}
	}
	unset(&l.Shard, 0)
	if !l.failed("CAS_TOTAL_SHARDS") && (*l.Shard < 0 || *l.Shard >= l.TotalShards) {
		l.fault("CAS_SHARD", "%d is not between 0 and CAS_TOTAL_SHARDS-1 (%d)", *l.Shard, l.TotalShards-1)
	}
}

// unset gives a pointer that is nil a value.
func unset[T any](p **T, value T) {
	if *p == nil {
		*p = &value
	}
}
