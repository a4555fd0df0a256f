package credentials

import (
	"context"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// NewLocal returns a Provider whose source is asked as often as files are.
func NewLocal(fetch func() rpc.Credentials) *Provider {
	return &Provider{source: local(fetch), local: true}
}

type local func() rpc.Credentials

func (f local) fetch(context.Context, bool) (lease, error) { return lease{cred: f()}, nil }

// ParseProfiles reads a text as both kinds of files of profiles.
func ParseProfiles(text, name string) (cli, shared error) {
	p := &profile{options: Options{Profile: name}}
	_, cli = p.parseCLI(text)
	_, shared = p.parseShared(text)
	return cli, shared
}

// ParseAnswer reads a text as the answer of each service, good or bad; complete
// says that an answer without an error has a whole key with its end.
func ParseAnswer(text string) (code string, complete bool) {
	complete = true
	for _, parse := range []func([]byte) (lease, error){parse, parseSTS} {
		if got, err := parse([]byte(text)); err == nil && (got.cred.Empty() || got.expires.IsZero()) {
			complete = false
		}
	}
	return errorCode([]byte(text)), complete
}
