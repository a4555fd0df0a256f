package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// maxAnswer bounds what is read of a file or an answer: they take a few KiB.
const maxAnswer = 256 << 10

// text is a JSON string; any other value is read as empty.
type text string

// UnmarshalJSON implements json.Unmarshaler and never fails.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	}
	return nil
}

// temporary is how every service writes temporary credentials.
type temporary struct {
	Code            text // not of STS
	AccessKeyID     text `json:"AccessKeyId"`
	AccessKeySecret text
	SecurityToken   text
	Expiration      text
}

func (t *temporary) lease() (lease, error) {
	expires, err := time.Parse(time.RFC3339, string(t.Expiration))
	switch {
	case t.Code != "" && t.Code != "Success":
		return lease{}, errors.New("the answer says that it failed")
	case t.AccessKeyID == "" || t.AccessKeySecret == "":
		return lease{}, errors.New("the answer holds no access key")
	case err != nil:
		return lease{}, errors.New("the answer holds no readable Expiration")
	}
	return lease{rpc.NewCredentials(string(t.AccessKeyID), string(t.AccessKeySecret), string(t.SecurityToken)), expires}, nil
}

// parse reads the answer of a service that gives temporary credentials.
func parse(answer []byte) (lease, error) {
	var t temporary
	if json.Unmarshal(answer, &t) != nil {
		return lease{}, errors.New("the answer is not the documented JSON")
	}
	return t.lease()
}

// parseSTS reads the answer of an AssumeRole action, which wraps them.
func parseSTS(answer []byte) (lease, error) {
	var t struct{ Credentials temporary }
	if json.Unmarshal(answer, &t) != nil {
		return lease{}, errors.New("the answer is not the documented JSON")
	}
	return t.Credentials.lease()
}

// caller makes requests that rpc does not sign.
type caller struct {
	userAgent string
	http      *http.Client
}

// ask sends a request and returns the answer, trimmed.
func (c caller) ask(req *http.Request) ([]byte, error) {
	req.Header.Set("User-Agent", c.userAgent)
	resp, err := c.http.Do(req) //nolint:gosec // the operator names the address
	if err != nil {
		return nil, unanswered(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	page := rpc.WebPage(body)
	switch {
	case page != nil:
		return nil, page
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("answered with status %d%s", resp.StatusCode, errorCode(body))
	case err != nil:
		return nil, errors.New("the answer was cut short")
	}
	return bytes.TrimSpace(body), nil
}

// unanswered explains why a request got no answer.
func unanswered(err error) error {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return errors.New("no answer in time")
	}
	return errors.New("no answer: " + rpc.Unanswered(err))
}

// errorCode repeats the error code of an answer if it looks like one of Alibaba's:
// AuthenticationFail.NoPermission. No token does.
func errorCode(body []byte) string {
	var answer struct{ Code text }
	if json.Unmarshal(body, &answer) != nil || len(answer.Code) > 80 || !strings.Contains(string(answer.Code), ".") ||
		strings.Trim(string(answer.Code), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.") != "" {
		return ""
	}
	return " and code " + string(answer.Code)
}
