package app

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"aliyun_cas_exporter/config"
	"aliyun_cas_exporter/internal/cas"
	"aliyun_cas_exporter/internal/reason"
)

// checkAPI makes one call of each action that the settings need, for each account in
// each region, and prints what works and which permission is missing.
func checkAPI(ctx context.Context, s *config.Settings, stdout, stderr io.Writer) int {
	log := config.NewLogger(stderr, s.LogLevel, s.LogFormat)
	if s.Demo {
		stop, err := startDemo(s, log)
		if err != nil {
			_, _ = fmt.Fprintln(stderr, "start the demo:", err)
			return exitFailed
		}
		defer stop()
	}
	for _, warning := range s.Warnings {
		_, _ = fmt.Fprintln(stderr, "warning:", warning)
	}
	places, err := placesOf(s)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailed
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ACCOUNT\tREGION\tACTION\tJOB\tRESULT\tMISSING PERMISSION")
	status := exitOK
	for _, p := range places {
		client, err := newClient(s, p.region, p.provider, requestLog{p.logger(log)})
		if err != nil {
			_, _ = fmt.Fprintln(stderr, err)
			return exitFailed
		}
		c := check{API: client, settings: s, ids: jobsOf(s, p.account.Name, p.label)}
		if !p.report(c.run(ctx), table, stderr) {
			status = exitFailed
		}
	}
	if ctx.Err() != nil {
		_, _ = fmt.Fprintln(stderr, "interrupted: nothing is printed")
		return exitFailed
	}
	_ = table.Flush()
	return status
}

// report prints the outcome of a check, and returns whether nothing failed.
func (p place) report(rows []checked, table, stderr io.Writer) (ok bool) {
	ok = true
	for _, r := range rows {
		result, missing := r.result()
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", orDash(p.account.Name), p.region.ID, r.action, orDash(r.job), result, orDash(missing))
		if r.err != nil {
			ok = false
			_, _ = fmt.Fprintf(stderr, "%s%s: %v\n", p.prefix(), r.action, r.err)
		}
	}
	return ok
}

// prefix says what a line is about.
func (p place) prefix() (text string) {
	for _, name := range []string{p.account.Name, p.label} {
		if name != "" {
			text += name + ": "
		}
	}
	return text
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// check checks one account in one region.
type check struct {
	API      *cas.Client
	settings *config.Settings
	ids      []int64 // configured jobs

	job  int64 // that the actions about a job are tried with; 0: none is known
	rows []checked
}

// checked is the outcome of an action.
type checked struct {
	action, job string
	skipped     string // why it was not called
	err         error
}

// run calls the actions that the account's polling would call.
func (c *check) run(ctx context.Context) []checked {
	s := c.settings
	if s.Discover() {
		c.try("ListDeploymentJob", func() error {
			page, err := c.API.ListJobs(ctx, cas.JobQuery{Page: 1, Size: s.PageSize}, nil)
			if len(page.Jobs) > 0 {
				c.job = page.Jobs[0].ID
			}
			return err
		})
	}
	if len(c.ids) > 0 {
		c.job = c.ids[0]
		c.tryJob("DescribeDeploymentJob", func() error {
			_, err := c.API.DescribeJob(ctx, c.job)
			return err
		})
	}
	c.tryJob("ListWorkerResource", func() error {
		q := cas.WorkerQuery{JobID: c.job, Status: first(s.Statuses), CloudProduct: first(s.CloudProducts), Page: 1, Size: s.PageSize}
		_, err := c.API.ListWorkers(ctx, q, nil)
		return err
	})
	c.tryJob("DescribeDeploymentJobStatus", func() error {
		_, err := c.API.CountJob(ctx, c.job)
		return err
	})
	c.tryJob("ListDeploymentJobCert", func() error {
		_, err := c.API.ListCertificates(ctx, c.job)
		return err
	})
	return c.rows
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// tryJob tries an action about a job, if there is one.
func (c *check) tryJob(action string, call func() error) {
	if c.job == 0 && c.blocked() == "" {
		c.skip(action, "no job is configured, and none was listed")
		return
	}
	c.try(action, call)
	if c.job != 0 {
		c.rows[len(c.rows)-1].job = strconv.FormatInt(c.job, 10)
	}
}

// try calls an action. Where the first failed for what is wrong with the account or the
// way to the API, the others would, each after all attempts of a call.
func (c *check) try(action string, call func() error) {
	if why := c.blocked(); why != "" {
		c.skip(action, why)
		return
	}
	c.rows = append(c.rows, checked{action: action, err: call()})
}

func (c *check) skip(action, why string) {
	c.rows = append(c.rows, checked{action: action, skipped: "not tried: " + why})
}

// blocked returns why no action can succeed, empty if that is not known.
func (c *check) blocked() string {
	if len(c.rows) == 0 {
		return ""
	}
	switch reason.Of(c.rows[0].err) {
	case reason.Auth:
		return "the credentials do not work"
	case reason.Network, reason.Timeout:
		return "the API does not answer"
	default:
		return ""
	}
}

// result says how it went, and which permissions are missing.
func (r checked) result() (result, missing string) {
	why := reason.Of(r.err)
	switch {
	case r.skipped != "":
		return r.skipped, ""
	case r.err == nil:
		return "ok", ""
	case why == reason.Forbidden:
		missing = permissions(r.action)
	}
	return strings.TrimSpace(string(why) + " " + cas.ErrorCode(r.err)), missing
}

// permissions returns the RAM actions that allow an action of the API.
func permissions(action string) string {
	const product = "yundun-cert:"
	if action == "DescribeDeploymentJob" { // the documentation has another name for it too
		return product + "DescribeDeployment, " + product + action
	}
	return product + action
}
