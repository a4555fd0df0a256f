// Package grafana builds the dashboards. It names each panel, query and threshold
// once, and writes the JSON files that people import. The tests check that the files
// are up to date, and run every query in a real Prometheus. The package is a module
// of its own, so that the exporter does not depend on Grafana's builders.
package grafana
