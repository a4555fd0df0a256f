//go:build e2e

package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// prometheus asks a Prometheus.
type prometheus struct {
	*testing.T
	address string
}

// page returns what is behind a URL, and why it is not.
func page(where string) (text, problem string) {
	resp, err := http.Get(where)
	if err != nil {
		return "", err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err.Error()
	}
	if resp.StatusCode != http.StatusOK {
		return "", resp.Status + ": " + string(body)
	}
	return string(body), ""
}

// ask fills an answer from the API, or returns the problem.
func (p prometheus) ask(what string, parameters url.Values, answer any) (problem string) {
	text, problem := page("http://" + p.address + "/api/v1/" + what + "?" + parameters.Encode())
	if problem != "" {
		return problem
	}
	if err := json.Unmarshal([]byte(text), &struct{ Data any }{answer}); err != nil {
		return err.Error()
	}
	return ""
}

// query returns the values of an instant query, each by the value of a label.
func (p prometheus) query(query, label string) (values map[string]float64, problem string) {
	var answer struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any // time and value
		}
	}
	problem = p.ask("query", url.Values{"query": {query}}, &answer)
	values = map[string]float64{}
	for _, r := range answer.Result {
		value, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			return nil, err.Error()
		}
		values[r.Metric[label]] = value
	}
	return values, problem
}

// sees waits until a query has these values, each by the value of a label.
func (p prometheus) sees(query, label string, want map[string]float64) {
	p.Helper()
	await(p.T, query, func() string {
		got, problem := p.query(query, label)
		return problem + cmp.Diff(want, got)
	})
}

// knows waits until Prometheus would send alerts to an Alertmanager.
func (p prometheus) knows(alertmanager string) {
	p.Helper()
	await(p.T, "Prometheus to know Alertmanager", func() string {
		var found struct{ ActiveAlertmanagers []struct{ URL string } }
		if problem := p.ask("alertmanagers", nil, &found); problem != "" {
			return problem
		}
		if len(found.ActiveAlertmanagers) != 1 || found.ActiveAlertmanagers[0].URL != "http://"+alertmanager+"/api/v2/alerts" {
			return fmt.Sprintf("it knows %v", found.ActiveAlertmanagers)
		}
		return ""
	})
}

// settle waits until every group of rules has been evaluated n times more.
func (p prometheus) settle(n int) {
	p.Helper()
	last, times := map[string]time.Time{}, map[string]int{}
	await(p.T, fmt.Sprintf("%d evaluations of the rules", n), func() string {
		var rules struct {
			Groups []struct {
				Name           string
				LastEvaluation time.Time
			}
		}
		if problem := p.ask("rules", nil, &rules); problem != "" {
			return problem
		}
		waiting := len(rules.Groups)
		for _, g := range rules.Groups {
			if last[g.Name] != g.LastEvaluation {
				last[g.Name] = g.LastEvaluation
				times[g.Name]++ // once for the evaluation before
			}
			if times[g.Name] > n {
				waiting--
			}
		}
		if waiting > 0 || len(rules.Groups) == 0 {
			return fmt.Sprintf("there were %v", times)
		}
		return ""
	})
}
