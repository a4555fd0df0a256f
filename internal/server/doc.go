// Package server is the exporter's HTTP side: metrics, probe targets, health,
// readiness, the start page, a page for each job and the runbooks, with TLS, client
// certificates and basic auth by exporter-toolkit.
//
// What it promises:
//
//   - An answer is rendered at most once a second, however many clients ask.
//     What a client narrows is rendered for one client at a time.
//   - An error in one part of the metrics does not hide the others.
//   - Any number of clients, idle, slow or greedy, costs bounded memory and keeps nobody
//     out.
//   - Authentication that was configured once is never missing. Health needs none.
//   - Texts from the API are escaped. The Content-Security-Policy of the pages allows only
//     their own style and icon, and on the start page its form.
//
// It does not know where the numbers come from: it gets a gatherer and functions that
// return the state of the jobs.
package server
