// Package grafana holds the dashboards. Its tests hold them against Grafana's
// schemas and, in a real Prometheus, against what the exporter exports. It is a
// module of its own, so that the exporter does not depend on a schema validator.
package grafana
