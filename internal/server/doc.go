// Package server is the exporter's HTTP side: metrics, probe targets, health,
// readiness, the start page and the runbooks, with TLS, client certificates and basic auth by
// exporter-toolkit.
//
// What it promises:
//
//   - An answer is rendered at most once a second, however many clients ask.
//   - An error in one part of the metrics does not hide the others.
//   - Any number of clients, idle, slow or greedy, costs bounded memory and keeps nobody
//     out.
//   - Authentication that was configured once is never missing. Health needs none.
//   - Texts from the API are escaped. The Content-Security-Policy of the pages allows only
//     their own style and icon.
//
// It does not know where the numbers come from: it gets a gatherer and a function that
// returns the state of the jobs.
package server
