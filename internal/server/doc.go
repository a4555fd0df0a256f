// Package server is the exporter's HTTP side: metrics, health, readiness, the
// start page and the runbooks, with TLS, client certificates and basic auth by
// exporter-toolkit.
//
// What it promises: concurrent scrapes share one gather, and no data is older than
// one gather; a broken part of the metrics does not take the others away; clients,
// however many, slow or greedy, cost bounded memory and one processor; texts from
// the API are escaped, and the pages' Content-Security-Policy allows nothing but
// their own style and icon.
//
// It refuses to know where the numbers come from: it is given a gatherer and a
// function that tells the state of the jobs.
package server
