// Package chart checks the Helm chart by Kubernetes' types and its standard
// for restricted pods, by the exporter's own reading of its settings, and
// by its documents. It is a module of its own, so that the exporter depends
// on none of this. helm and promtool must be in the PATH; `.ci/test.sh chart`
// puts them there.
package chart
