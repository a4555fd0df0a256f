package simulator_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/simulator"
)

// TestSignature3Vector compares the simulator with the example of Alibaba Cloud's
// documentation of ACS3-HMAC-SHA256.
func TestSignature3Vector(t *testing.T) {
	req := httptest.NewRequest("POST", "https://ecs.cn-shanghai.aliyuncs.com/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai", http.NoBody)
	for name, value := range map[string]string{
		"x-acs-action": "RunInstances", "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"x-acs-date": "2023-10-26T10:22:32Z", "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d", "x-acs-version": "2014-05-26",
	} {
		req.Header.Set(name, value)
	}
	signed := strings.Split("host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version", ";")
	text := simulator.StringToSign3(req, signed)
	const want = "ACS3-HMAC-SHA256\n7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"
	if text != want {
		t.Errorf("string to sign:\n got %s\nwant %s", text, want)
	}
	if got := simulator.Sign3(text, "YourAccessKeySecret"); got != "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0" {
		t.Errorf("got %s", got)
	}
}

// signed3 is a request that is signed in its headers, changed before and after.
func signed3(nonce string, query url.Values, before, after func(*http.Request)) *http.Request {
	req := httptest.NewRequest("POST", "/?"+query.Encode(), http.NoBody)
	sum := sha256.Sum256(nil)
	names := []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"}
	for name, value := range map[string]string{
		"x-acs-action": "ListWorkerResource", "x-acs-version": "2020-04-07", "x-acs-date": time.Now().UTC().Format("2006-01-02T15:04:05Z"),
		"x-acs-signature-nonce": nonce, "x-acs-content-sha256": hex.EncodeToString(sum[:]),
	} {
		req.Header.Set(name, value)
	}
	if before != nil {
		before(req)
	}
	signature := simulator.Sign3(simulator.StringToSign3(req, names), simulator.DemoAccessKeySecret)
	req.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+simulator.DemoAccessKeyID+",SignedHeaders="+strings.Join(names, ";")+",Signature="+signature)
	if after != nil {
		after(req)
	}
	return req
}

func TestSignature3Refusals(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	replace := func(old, with string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, with, 1))
		}
	}
	s := one()
	for name, test := range map[string]struct {
		before, after func(*http.Request)
		status        int
		code          string
	}{
		"good":               {nil, nil, 200, ""},
		"wrong secret":       {nil, replace("Signature=", "Signature=00"), 400, "SignatureDoesNotMatch"},
		"other key":          {nil, replace(simulator.DemoAccessKeyID, "other"), 404, "InvalidAccessKeyId.NotFound"},
		"token unasked":      {header("x-acs-security-token", "t"), nil, 400, "InvalidSecurityToken.MismatchWithAccessKey"},
		"other query":        {nil, func(r *http.Request) { r.URL.RawQuery = "JobId=9" }, 400, "SignatureDoesNotMatch"},
		"other action":       {nil, header("x-acs-action", "ListDeploymentJob"), 400, "SignatureDoesNotMatch"},
		"stale date":         {header("x-acs-date", "2020-01-01T00:00:00Z"), nil, 400, "InvalidTimeStamp.Expired"},
		"no date":            {nil, func(r *http.Request) { r.Header.Del("x-acs-date") }, 400, "MissingParameter.x-acs-date"},
		"unsigned action":    {nil, replace("x-acs-action;", ""), 400, "IncompleteSignature"},
		"no signature":       {nil, header("Authorization", "ACS3-HMAC-SHA256 Credential=x"), 400, "IncompleteSignature"},
		"hash of other text": {header("x-acs-content-sha256", "00"), nil, 400, "InvalidContentHash"},
		"unknown action":     {header("x-acs-action", "DeleteEverything"), nil, 404, "InvalidAction.NotFound"},
		"other version":      {header("x-acs-version", "2018-07-13"), nil, 404, "InvalidAction.NotFound"},
	} {
		req := signed3(name, url.Values{"JobId": {"8888"}, "Status": {"error"}}, test.before, test.after)
		status, body := ask(s, req)
		if code, _ := body["Code"].(string); status != test.status || code != test.code || status == 200 && body["Total"] != 1. {
			t.Errorf("%s: got %d %v, want %d %q", name, status, body, test.status, test.code)
		}
	}
	if status, body := ask(s, signed3("good", url.Values{"JobId": {"8888"}}, nil, nil)); status != 400 || body["Code"] != "SignatureNonceUsed" {
		t.Errorf("again: %d %v", status, body["Code"])
	}
	if calls := s.Calls()["ListWorkerResource"]; calls < 10 {
		t.Errorf("%d calls are counted by their action", calls)
	}
}
