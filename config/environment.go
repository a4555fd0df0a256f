package config

import (
	"os"
	"strings"
)

// environment is the process's environment as Load found it, without white space
// around values. Blank variables are left out: an empty variable means unset.
type environment map[string]string

func readEnvironment() environment {
	env := environment{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if value = strings.TrimSpace(value); value != "" {
			env[name] = value
		}
	}
	return env
}

// alibaba returns one of the variables that Alibaba's own programs read.
func (e environment) alibaba(name string) string { return e["ALIBABA_CLOUD_"+name] }

// vpc reports whether services are called by their addresses inside a VPC.
func (e environment) vpc() bool { return strings.EqualFold(e.alibaba("VPC_ENDPOINT_ENABLED"), "true") }
