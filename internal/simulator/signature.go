package simulator

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the protocol's own algorithm
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
)

type key struct{ id, secret, token string }

// StringToSign returns the canonical text of a request: its method and all its
// parameters but the signature, in byte order, encoded twice.
func StringToSign(method string, form url.Values) string {
	names := make([]string, 0, len(form))
	for name := range form {
		if name != "Signature" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	pairs := make([]string, len(names))
	for i, name := range names {
		pairs[i] = encode(name) + "=" + encode(form.Get(name))
	}
	return method + "&%2F&" + encode(strings.Join(pairs, "&"))
}

// Sign returns the signature of a string to sign.
func Sign(text, secret string) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// encode escapes everything but the unreserved characters of RFC 3986.
func encode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String()
}
