package rpc

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"aliyun_cas_exporter/internal/reason"
)

const mask = "[hidden]"

// Credentials is an access key, with a security token when it is temporary.
// The zero value is no credentials. It cannot be printed: every way of
// formatting it yields a mask.
type Credentials struct {
	// It is a function because fmt cannot look into one. Of other unexported fields fmt
	// calls no method, and with a wrong verb it prints what a pointer points to.
	key func() key
}

type key struct {
	id, secret, token string
	others            []string // secrets that a call sends beside
}

// NewCredentials returns the credentials of an access key; token is empty for
// a key that does not expire.
func NewCredentials(id, secret, token string) Credentials {
	return Credentials{func() key { return key{id: id, secret: secret, token: token} }}
}

// Empty reports whether the key id or its secret is missing.
func (c Credentials) Empty() bool {
	k := c.open()
	return k.id == "" || k.secret == ""
}

// open returns what is hidden.
func (c Credentials) open() key {
	if c.key == nil {
		return key{}
	}
	return c.key()
}

// Format writes the mask, whatever the verb.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, mask) }

// MarshalText returns the mask.
func (Credentials) MarshalText() ([]byte, error) { return []byte(mask), nil }

// LogValue returns the mask.
func (Credentials) LogValue() slog.Value { return slog.StringValue(mask) }

// Hiding returns credentials that also hide another secret of the call.
func (c Credentials) Hiding(secret string) Credentials {
	k := c.open()
	k.others = append(slices.Clone(k.others), secret)
	return Credentials{func() key { return k }}
}

// hide removes the credentials from an error. Every error of a call comes through here.
func (c Credentials) hide(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.Code, e.RequestID, e.text = c.scrub(e.Code), c.scrub(e.RequestID), c.scrub(e.text)
		return err
	}
	if text := c.scrub(err.Error()); text != err.Error() {
		return newError(reason.Of(err), "%s", text)
	}
	return err
}

// escaped is one byte of a URL. After a stray % the rest of the word must still be unescaped.
var escaped = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

// scrub makes a foreign text one line, and removes every word that contains a part of the
// credentials or of a signature made with them. A server that refuses a signature echoes
// them: plain or URL-escaped, whole or cut off.
func (c Credentials) scrub(s string) string {
	s = oneLine(s)
	k := c.open()
	parts := []string{"Signature="}
	for _, secret := range append([]string{k.secret, k.token, k.id}, k.others...) {
		if secret == "" {
			continue
		}
		s = strings.ReplaceAll(s, secret, mask)
		const part = 8 // too long for an accident
		parts = append(parts, secret[:min(part, len(secret))])
		for i := range max(0, len(secret)-part) {
			parts = append(parts, secret[i+1:i+1+part])
		}
	}
	holds := func(word string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(word, part) })
	}
	words := strings.Fields(s)
	for i, word := range words {
		plain := escaped.ReplaceAllStringFunc(word, func(code string) string {
			text, _ := url.PathUnescape(code)
			return text
		})
		if holds(word) || holds(plain) {
			words[i] = mask
		}
	}
	return strings.Join(words, " ")
}
