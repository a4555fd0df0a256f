package server

import (
	"slices"
	"strconv"
	"strings"

	"aliyun_cas_exporter/collector"
)

// find returns a job and its account, nil if it is not watched. The account is written as
// in the addresses of its jobs.
func find(s *Status, account string, id int64) (*collector.State, *collector.JobState) {
	for i := range s.Accounts {
		a := &s.Accounts[i]
		if label(a.Name, a.Region) != strings.Trim(account, "/") {
			continue
		}
		if n := slices.IndexFunc(a.Jobs, func(j collector.JobState) bool { return j.ID == id }); n >= 0 {
			return a, &a.Jobs[n]
		}
	}
	return nil, nil
}

// missing says which jobs there are not.
type missing struct {
	Error     string   `json:"error"`
	Elsewhere []string `json:"elsewhere,omitempty"` // jobs of the same id
	Jobs      int      `json:"jobs"`                // that are watched
	Accounts  string   `json:"accounts,omitempty"`
	Narrowed  []string `json:"narrowed,omitempty"` // what may hide the job

	Root string `json:"-"`
}

// maxElsewhere is how many jobs and accounts an answer about a missing one names.
const maxElsewhere = 20

// newMissing looks for jobs of the same id in all accounts. Nothing of the address is
// repeated but the id.
func newMissing(s *Status, account string, id int64, root string) *missing {
	m := &missing{Error: "There is no such job", Root: root}
	if id > 0 {
		m.Error = "Job " + strconv.FormatInt(id, 10) + " is not watched"
	}
	var names []string
	for i := range s.Accounts {
		a := &s.Accounts[i]
		m.look(a, id)
		if name := label(a.Name, a.Region); name != "" {
			if name == strings.Trim(account, "/") && id > 0 {
				m.Error += " in " + name
			}
			names = append(names, name)
		}
	}
	m.Accounts = strings.Join(names[:min(len(names), maxElsewhere)], ", ")
	if len(names) > maxElsewhere {
		m.Accounts += " and more"
	}
	return m
}

// look looks for the job in another account.
func (m *missing) look(a *collector.State, id int64) {
	m.Jobs += len(a.Jobs)
	if slices.ContainsFunc(a.Jobs, func(j collector.JobState) bool { return j.ID == id }) && len(m.Elsewhere) < maxElsewhere {
		m.Elsewhere = append(m.Elsewhere, pathOf(a.Name, a.Region)+strconv.FormatInt(id, 10))
	}
	for _, by := range a.Narrowed {
		if by = line(by); !slices.Contains(m.Narrowed, by) && len(m.Narrowed) < maxElsewhere {
			m.Narrowed = append(m.Narrowed, by)
		}
	}
}
