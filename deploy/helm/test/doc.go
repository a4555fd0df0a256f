// Package chart holds the Helm chart against Kubernetes' types and its standard
// for restricted pods, against the exporter's own reading of its settings, and
// against its documents. It is a module of its own, so that the exporter depends
// on none of this. helm and promtool must be in the PATH; `.ci/test.sh chart`
// puts them there.
package chart
