package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// algorithm3 signs the headers of a request: newer SDKs use it. What the older one
// has as parameters then stands in headers.
const algorithm3 = "ACS3-HMAC-SHA256"

// isSigned3 reports whether a request is signed in its headers.
func isSigned3(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), algorithm3)
}

// authorization3 is the header that holds the signature.
type authorization3 struct {
	credential, signature string
	signed                []string // names of headers
}

func parseAuthorization3(header string) (a authorization3, ok bool) {
	for part := range strings.SplitSeq(strings.TrimPrefix(header, algorithm3), ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "Credential":
			a.credential = value
		case "Signature":
			a.signature = value
		case "SignedHeaders":
			a.signed = strings.Split(value, ";")
		}
	}
	return a, a.credential != "" && a.signature != "" && len(a.signed) > 0
}

// StringToSign3 returns the text that ACS3-HMAC-SHA256 signs: the hash of the method,
// the path, the query and the named headers.
func StringToSign3(r *http.Request, headers []string) string {
	query := r.URL.Query()
	var pairs []string
	for name := range query {
		pairs = append(pairs, encode(name)+"="+encode(query.Get(name)))
	}
	slices.Sort(pairs)
	lines := []string{r.Method, r.URL.EscapedPath(), strings.Join(pairs, "&")}
	for _, name := range headers {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		lines = append(lines, name+":"+strings.TrimSpace(value))
	}
	lines = append(lines, "", strings.Join(headers, ";"), r.Header.Get("x-acs-content-sha256"))
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return algorithm3 + "\n" + hex.EncodeToString(sum[:])
}

// Sign3 returns the signature of a string to sign by ACS3-HMAC-SHA256.
func Sign3(text, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// adopt3 puts the action and the version of a request that is signed in its headers
// where the older one has them.
func adopt3(r *http.Request) {
	form := maps.Clone(r.Form)
	form.Set("Action", r.Header.Get("x-acs-action"))
	form.Set("Version", r.Header.Get("x-acs-version"))
	r.Form = form
}
