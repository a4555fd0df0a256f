// Package server is the exporter's HTTP side: metrics, health, readiness, the
// start page and the runbooks, with TLS, client certificates and basic auth by
// exporter-toolkit.
//
// What it promises: an answer is rendered once a second at most, whoever asks; a
// broken part of the metrics does not take the others away; clients, however many,
// idle, slow or greedy, cost bounded memory and keep nobody out; authentication that
// was configured is never missing; health is told always, and without a password;
// texts from the API are escaped, and the pages' Content-Security-Policy allows
// nothing but their own style and icon.
//
// It refuses to know where the numbers come from: it is given a gatherer and a
// function that tells the state of the jobs.
package server
