package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

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

// verify3 checks a request that is signed in its headers.
func (s *Simulator) verify3(r *http.Request, body []byte) *refusal {
	a, ok := parseAuthorization3(r.Header.Get("Authorization"))
	if !ok {
		return &refusal{400, "IncompleteSignature", "The request signature does not conform to Aliyun standards."}
	}
	for _, name := range []string{"x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"} {
		if r.Header.Get(name) == "" {
			return &refusal{400, "MissingParameter." + name, name + " is mandatory for this action."}
		}
		if !slices.Contains(a.signed, name) {
			return &refusal{400, "IncompleteSignature", "The header " + name + " is not signed."}
		}
	}
	if problem := checkTime(r.Header.Get("x-acs-date"), s.options.Now()); problem != nil {
		return problem
	}
	if sum := sha256.Sum256(body); r.Header.Get("x-acs-content-sha256") != hex.EncodeToString(sum[:]) {
		return &refusal{400, "InvalidContentHash", "The hash of the content is not that of the body."}
	}
	s.mu.Lock()
	k := s.key
	s.mu.Unlock()
	switch text := StringToSign3(r, a.signed); {
	case a.credential != k.id:
		return &refusal{404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."}
	case r.Header.Get("x-acs-security-token") != k.token:
		return &refusal{400, "InvalidSecurityToken.MismatchWithAccessKey", "The security token does not belong to the access key."}
	case !hmac.Equal([]byte(Sign3(text, k.secret)), []byte(a.signature)):
		return &refusal{400, "SignatureDoesNotMatch", "Specified signature is not matched with our calculation. server string to sign is:" + text}
	case !s.nonces.use(r.Header.Get("x-acs-signature-nonce"), s.options.Now()):
		return &refusal{400, "SignatureNonceUsed", "The request signature nonce has been used."}
	}
	return nil
}
