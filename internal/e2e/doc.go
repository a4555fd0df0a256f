// Package e2e holds the tests that run the real parts together: the built
// exporter against the simulator, Prometheus with the shipped rules,
// Alertmanager, and a webhook that receives what Alertmanager sends.
//
// A minute of the rules is a second here; nothing else about them differs from
// what is shipped. The tests need programs that `make e2e` installs, so that
// `go test ./...` does not build them: their tag is e2e.
//
// It refuses to prove what a cheaper test can: thresholds and labels of each rule
// belong to promtool and deploy/prometheus/rules_test.yml.
package e2e
