package grafana

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// What a prober knows of what it probes: CAS's ids, and not the exporter's scrape job.
const (
	probedJobs         = "cluster, account, api_region, job_id"
	probedCertificates = probedJobs + ", cert_id"
	probedHosts        = probedCertificates + ", cert_name, cloud_product, region_id, instance"
)

const notProbed = "probing is off, or no exporter is scraped"

// probed selects what is chosen of a family of a prober, or of a rule about it.
func (b *board) probed(family string) string {
	prober := &catalog{labels: b.labels, source: "cluster", variables: b.variables}
	return prober.series(family, `job_id!=""`)
}

// answering is 1 for each host to which the last probe made a valid TLS connection, else 0.
func (b *board) answering() string { return by("max", probedHosts, b.probed("probe_success")) }

// deployed is when the certificates expire that the chosen jobs deploy.
func (b *board) deployed() string { return by("min", probedCertificates, b.series(notAfter)) }

// upToDate is 1 for each host that serves what the chosen jobs deployed there, else 0. As
// in the alert, a certificate may expire an hour before the deployed one.
func (b *board) upToDate() string {
	return fmt.Sprintf("(\n  %s\n  >= bool on (%s) group_left () %s - 3600\n  or 0 * %s\n)\nand on (%[2]s) %[3]s",
		by("min", probedHosts, b.probed(chainExpiry)), probedCertificates, b.deployed(), b.answering())
}

// served says how many hosts serve what was deployed to them. Shards may show a host for
// a job each; it counts once.
func (b *board) served() []cog.Builder[dashboard.Panel] {
	each := by("min", "cluster, instance", b.upToDate())
	line := func(title, about, expr string, steps []step, states ...state) cog.Builder[dashboard.Panel] {
		return number(panel{title: title, about: about, empty: notProbed, unit: count, width: 8, steps: steps, states: states, queries: []query{{expr, "{{cluster}}", atEnd}}})
	}
	return []cog.Builder[dashboard.Panel]{
		line("Hosts checked", "Hosts that a prober checks because the jobs chosen above deployed to them (CAS_PROBE_TARGETS_PER_JOB).",
			by("count", "cluster", each)+"\nor 0 - ("+by("sum", "cluster", b.latest("probe_targets"))+" > bool 0)", []step{{0, sky}}, state{"-1", "no prober is scraped", orange}),
		line("Serve the new certificate", "Hosts whose certificate, at the last probe, expires no earlier than the deployed one.", by("sum", "cluster", each), nil),
		line("Do not serve it", "Hosts that serve a certificate which expires earlier than the deployed one, or to which the last probe made no valid TLS connection.",
			by("sum", "cluster", "1 - "+each), []step{{0, sky}, {1, vermilion}}),
		b.notServed(),
	}
}

// notServed lists the hosts that do not serve what was deployed to them. The rule knows
// what a host served last that does not answer.
func (b *board) notServed() cog.Builder[dashboard.Panel] {
	last := fmt.Sprintf("(\n  %s\n  or %s\n)", by("min", probedHosts, b.probed(chainExpiry)), by("min", probedHosts, b.probed(servedLast)))
	listed := fmt.Sprintf("\nand on (%s) bottomk(200, (%s or 1e12 + %s) and on (%[1]s) (%[4]s) == 0)", probedHosts, last, b.answering(), b.upToDate())
	return rows(panel{
		title: "Hosts without the new certificate", width: 24, height: 9, sorted: "Served expires", links: jobLinks(idInRow),
		empty: "none, if Hosts checked shows a number",
		about: "Hosts that served an older certificate at the last good probe, or to which the last probe failed: the 200 whose served certificate expires first.",
	}, append([]column{
		{title: "Host", label: "instance"},
		{title: "Product", label: "cloud_product"},
		{title: "Region", label: "region_id"},
		{title: "Last probe", expr: b.namedBy(probedJobs, "("+b.answering()+listed+"\n)"), states: []state{{"0", "failed", vermilion}, {"1", "good", clear}}},
		{title: "Served expires", expr: "1000 * " + last + listed, unit: moments},
		{title: "Deployed expires", expr: fmt.Sprintf("1000 * (0 * %s\n  + on (%s) group_left () %s)", b.answering(), probedCertificates, b.deployed()) + listed, unit: moments},
		{title: "Job", label: "job_name"},
		{title: "Job ID", label: "job_id"},
		{title: "Certificate", label: "cert_name"},
		{title: "Certificate ID", label: "cert_id"},
	}, place()[:3]...)...)
}
