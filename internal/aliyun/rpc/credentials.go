package rpc

import (
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const mask = "[hidden]"

// Credentials is an access key, with a security token when it is temporary.
// The zero value is no credentials. It cannot be printed: every way of
// formatting it yields a mask.
type Credentials struct {
	// fmt calls no method of what stands in an unexported field, and prints what a
	// pointer leads to when the verb is wrong. A function it cannot look into.
	key func() key
}

type key struct{ id, secret, token string }

// NewCredentials returns the credentials of an access key; token is empty for
// a key that does not expire.
func NewCredentials(id, secret, token string) Credentials {
	return Credentials{func() key { return key{id, secret, token} }}
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

// scrub removes the credentials, and signatures made with them, from a text that
// came from outside. A server that refuses a signature echoes them: as they are,
// escaped, or cut off. A word that unescapes to a part of one goes as a whole.
func (c Credentials) scrub(s string) string {
	k := c.open()
	parts := []string{"Signature="}
	for _, secret := range []string{k.secret, k.token, k.id} {
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
	words := strings.Fields(s)
	for i, word := range words {
		if spells(word, parts) {
			words[i] = mask
		}
	}
	return strings.Join(words, " ")
}

// spells reports whether a word, unescaped a few times, contains one of the texts.
func spells(word string, texts []string) bool {
	// One stray % must not save the rest of the word from being unescaped.
	escape := regexp.MustCompile(`%[0-9a-fA-F]{2}`)
	for range 4 {
		if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(word, text) }) {
			return true
		}
		word = escape.ReplaceAllStringFunc(word, func(code string) string {
			plain, _ := url.PathUnescape(code)
			return plain
		})
		word = html.UnescapeString(word)
	}
	return false
}
