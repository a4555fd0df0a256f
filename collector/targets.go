package collector

import (
	"bufio"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"
)

// targetGroup is hosts with the same labels in the notation of Prometheus' HTTP service
// discovery.
type targetGroup struct {
	Targets []string     `json:"targets"`
	Labels  targetLabels `json:"labels"`
}

type targetLabels struct {
	Account      string `json:"__meta_aliyun_cas_account"`
	APIRegion    string `json:"__meta_aliyun_cas_api_region"`
	CertID       string `json:"__meta_aliyun_cas_cert_id"`
	CertName     string `json:"__meta_aliyun_cas_cert_name"`
	CloudProduct string `json:"__meta_aliyun_cas_cloud_product"`
	JobID        string `json:"__meta_aliyun_cas_job_id"`
	RegionID     string `json:"__meta_aliyun_cas_region_id"`
}

// labels returns what a prober's series say of a host.
func (h *host) labels() targetLabels {
	certID := ""
	if h.CertID > 0 {
		certID = strconv.FormatInt(h.CertID, 10)
	}
	return targetLabels{h.of.Name, h.of.Region, certID, h.CertName, h.CloudProduct, h.view.Label, h.RegionID}
}

// WriteProbeTargets writes the hosts that can be probed as a document of Prometheus' HTTP
// service discovery: the newest job first, each sorted. The same hosts give the same
// document.
func (c *Collector) WriteProbeTargets(w io.Writer) error {
	var e exposition
	e.look(c.accounts, time.Now())
	all := findHosts(e.scenes)
	out := bufio.NewWriterSize(w, flushAt)
	between := "["
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].view == all[0].view {
			n++
		}
		job := all[:n]
		slices.SortStableFunc(job, func(a, b host) int { return a.Deployed.Compare(b.Deployed) }) // addresses are in order
		for len(job) > 0 {
			group := targetGroup{Labels: job[0].labels()}
			for first := job[0].Deployed; len(job) > 0 && job[0].Deployed == first; job = job[1:] {
				group.Targets = append(group.Targets, job[0].String())
			}
			line, err := json.Marshal(group)
			if err != nil {
				return err
			}
			_, _ = out.WriteString(between)
			_, _ = out.Write(line)
			between = ",\n"
		}
		all = all[n:]
	}
	if between == "[" {
		_, _ = out.WriteString(between)
	}
	_, _ = out.WriteString("]\n")
	return out.Flush()
}
