package simulator

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the protocol's own algorithm
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// validity is how far a request's timestamp may be from the service's clock, and
// so how long a nonce must be remembered.
const validity = 15 * time.Minute

type key struct{ id, secret, token string }

// verify checks what the gateway checks before it looks at the action.
func (s *Simulator) verify(r *http.Request) *refusal {
	if problem := checkForm(r); problem != nil {
		return problem
	}
	form := r.Form
	if problem := checkTime(form.Get("Timestamp"), s.options.Now()); problem != nil {
		return problem
	}
	s.mu.Lock()
	k := s.key
	s.mu.Unlock()
	switch text := StringToSign(r.Method, form); {
	case form.Get("AccessKeyId") != k.id:
		return &refusal{404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."}
	case form.Get("SecurityToken") != k.token:
		return &refusal{400, "InvalidSecurityToken.MismatchWithAccessKey", "The security token does not belong to the access key."}
	case !hmac.Equal([]byte(Sign(text, k.secret)), []byte(form.Get("Signature"))):
		return &refusal{400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation. server string to sign is:" + text}
	case !s.nonces.use(form.Get("SignatureNonce"), s.options.Now()):
		return &refusal{400, "SignatureNonceUsed", "The request signature nonce has been used."}
	}
	return nil
}

// checkForm checks that the request is a well-formed call.
func checkForm(r *http.Request) *refusal {
	form := r.Form
	for name, values := range form {
		if len(values) > 1 {
			return &refusal{400, "InvalidParameter", "Parameter " + name + " is given twice."}
		}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return &refusal{405, "UnsupportedHTTPMethod", "This http method is not supported."}
	}
	for _, name := range []string{"Action", "Version", "AccessKeyId", "Signature", "SignatureNonce", "Timestamp"} {
		if form.Get(name) == "" {
			return &refusal{400, "Missing" + name, name + " is mandatory for this action."}
		}
	}
	if form.Get("SignatureMethod") != "HMAC-SHA1" || form.Get("SignatureVersion") != "1.0" {
		return &refusal{400, "InvalidSignatureMethod", "The signature method or its version is not supported."}
	}
	if format := form.Get("Format"); format != "" && !strings.EqualFold(format, "json") {
		return &refusal{400, "InvalidParameter.Format", "The format is not supported."}
	}
	return nil
}

func checkTime(text string, now time.Time) *refusal {
	at, err := time.Parse("2006-01-02T15:04:05Z", text)
	switch {
	case err != nil:
		return &refusal{400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."}
	case at.Sub(now).Abs() > validity:
		return &refusal{400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."}
	}
	return nil
}

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

// nonces are those seen within the validity of a timestamp.
type nonces struct {
	mu    sync.Mutex
	seen  map[string]time.Time
	swept time.Time
}

// use reports whether the nonce is fresh, and remembers it.
func (n *nonces) use(nonce string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Sub(n.swept) > validity {
		n.swept = now
		for old, at := range n.seen {
			if now.Sub(at) > 2*validity {
				delete(n.seen, old)
			}
		}
	}
	if _, used := n.seen[nonce]; used {
		return false
	}
	n.seen[nonce] = now
	return true
}
