package rpc

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

const mask = "[hidden]"

// Credentials is an access key, with a security token when it is temporary.
// The zero value is no credentials. It cannot be printed: every way of
// formatting it yields a mask.
type Credentials struct {
	id, secret, token string
}

// NewCredentials returns the credentials of an access key; token is empty for
// a key that does not expire.
func NewCredentials(id, secret, token string) Credentials {
	return Credentials{id: id, secret: secret, token: token}
}

// Empty reports whether the key id or its secret is missing.
func (c Credentials) Empty() bool { return c.id == "" || c.secret == "" }

// Format writes the mask, whatever the verb.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// MarshalText returns the mask.
func (Credentials) MarshalText() ([]byte, error) { return []byte(mask), nil }

// LogValue returns the mask.
func (Credentials) LogValue() slog.Value { return slog.StringValue(mask) }

// scrub removes the credentials from a text that came from outside, as they are
// and as they stand in a URL. A server that refuses a signature echoes them.
func (c Credentials) scrub(s string) string {
	for _, secret := range []string{c.secret, c.token, c.id} {
		if secret != "" {
			s = strings.NewReplacer(
				secret, mask,
				url.QueryEscape(secret), mask,
				url.QueryEscape(url.QueryEscape(secret)), mask,
			).Replace(s)
		}
	}
	return s
}
