package credentials

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aliyun_cas_exporter/internal/cas/reason"
	"aliyun_cas_exporter/internal/cas/rpc"
)

// maxAnswer bounds what is read of a file or an answer: they take a few KiB.
const maxAnswer = 256 << 10

// text is a JSON string; anything else is taken for none.
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
	Code            text
	AccessKeyID     text `json:"AccessKeyId"`
	AccessKeySecret text
	SecurityToken   text
	Expiration      text
}

func (t *temporary) lease() (lease, error) {
	expires, err := time.Parse(time.RFC3339, string(t.Expiration))
	switch {
	case t.AccessKeyID == "" || t.AccessKeySecret == "":
		return lease{}, errors.New("the answer holds no access key")
	case err != nil:
		return lease{}, errors.New("the answer holds no readable Expiration")
	}
	return lease{rpc.NewCredentials(string(t.AccessKeyID), string(t.AccessKeySecret), string(t.SecurityToken)), expires}, nil
}

// sts reads the answer of an AssumeRole action.
func sts(body io.Reader) (lease, error) {
	var answer struct{ Credentials temporary }
	if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&answer); err != nil {
		return lease{}, reason.Errorf(reason.Decode, "the answer is not the documented JSON")
	}
	return answer.Credentials.lease()
}

// do sends a request and hands the body of a good answer to read.
func do(client *http.Client, req *http.Request, read func(io.Reader) error) error {
	resp, err := client.Do(req)
	if err != nil {
		// The text of the error begins with the URL, which can hold a token.
		var at *url.Error
		if errors.As(err, &at) && at.Timeout() {
			return errors.New("no answer in time")
		}
		return errors.New("no answer: the connection failed")
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		var answer struct{ Code text }
		_ = json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer)
		return fmt.Errorf("answered with status %d%s", resp.StatusCode, code(answer.Code))
	}
	return read(io.LimitReader(resp.Body, maxAnswer))
}

// code repeats an error code if it looks like one.
func code(c text) string {
	if c == "" || len(c) > 80 || strings.Trim(string(c), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.") != "" {
		return ""
	}
	return " and code " + string(c)
}
