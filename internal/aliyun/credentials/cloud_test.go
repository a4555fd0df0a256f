package credentials_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/aliyun/credentials"
	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// cloud is STS, the metadata of an instance and a credentials URI in one. It gives
// numbered keys, STS.1 the first, and tells who calls it. It is a RoundTripper too,
// for bubbles of testing/synctest.
type cloud struct {
	mu     sync.Mutex
	keys   map[string][2]string // secret and token of each id that it accepts
	issued int
	calls  []string      // what was asked, with the parameters that matter
	life   time.Duration // of the keys that it gives
	fault  http.Handler  // answers instead
	slow   time.Duration
}

func newCloud() *cloud {
	return &cloud{keys: map[string][2]string{"LTAIbase": {"base+secret/", ""}}, life: time.Hour}
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, describe(r))
	if slow := c.slow; slow > 0 {
		c.mu.Unlock()
		select {
		case <-time.After(slow):
		case <-r.Context().Done():
		}
		c.mu.Lock()
	}
	const roles = "/latest/meta-data/ram/security-credentials/"
	hasToken := r.Header.Get("X-aliyun-ecs-metadata-token") == "imds-token"
	switch action := r.Form.Get("Action"); {
	case c.fault != nil && action != "WhoAmI":
		c.fault.ServeHTTP(w, r)
	case action == "AssumeRoleWithOIDC" && r.Form.Get("AccessKeyId") == "":
		reply(w, 200, map[string]any{"RequestId": "R", "Credentials": c.issue()})
	case action == "AssumeRole" || action == "WhoAmI":
		id, problem := c.verify(r)
		switch {
		case problem != "":
			reply(w, 403, map[string]any{"Code": problem, "Message": "refused: " + r.URL.RawQuery})
		case action == "AssumeRole":
			reply(w, 200, map[string]any{"RequestId": "R", "Credentials": c.issue(), "AssumedRoleUser": map[string]any{"Arn": r.Form.Get("RoleArn")}})
		default:
			reply(w, 200, map[string]any{"Id": id})
		}
	case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && r.Header.Get("X-aliyun-ecs-metadata-token-ttl-seconds") != "":
		fmt.Fprintln(w, "imds-token")
	case r.URL.Path == roles && hasToken:
		fmt.Fprintln(w, "instance-role")
	case strings.HasPrefix(r.URL.Path, roles) && hasToken, r.URL.Path == "/credentials" && r.Form.Get("token") == "uri-token":
		given := c.issue()
		given["Code"] = "Success"
		reply(w, 200, given)
	default:
		reply(w, 403, map[string]any{"Code": "Forbidden"})
	}
}

func (c *cloud) issue() map[string]any {
	c.issued++
	id, secret, token := fmt.Sprintf("STS.%d", c.issued), fmt.Sprintf("secret+/%d", c.issued), fmt.Sprintf("token+/%d==", c.issued)
	c.keys[id] = [2]string{secret, token}
	return map[string]any{
		"AccessKeyId": id, "AccessKeySecret": secret, "SecurityToken": token,
		"Expiration": time.Now().Add(c.life).UTC().Format("2006-01-02T15:04:05Z"),
	}
}

// verify computes the signature from the documentation of RPC APIs.
func (c *cloud) verify(r *http.Request) (id, problem string) {
	id = r.Form.Get("AccessKeyId")
	key, known := c.keys[id]
	if !known {
		return "", "InvalidAccessKeyId.NotFound"
	}
	var pairs []string
	for name, values := range r.Form {
		if name != "Signature" {
			pairs = append(pairs, encode(name)+"="+encode(values[0]))
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(sha1.New, []byte(key[0]+"&"))
	io.WriteString(mac, r.Method+"&%2F&"+encode(strings.Join(pairs, "&")))
	switch {
	case r.Form.Get("SecurityToken") != key[1]:
		return "", "InvalidSecurityToken.MismatchWithAccessKey"
	case r.Form.Get("Signature") != base64.StdEncoding.EncodeToString(mac.Sum(nil)):
		return "", "SignatureDoesNotMatch"
	}
	return id, ""
}

func encode(s string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(s))
}

func describe(r *http.Request) string {
	f := r.Form
	switch f.Get("Action") {
	case "AssumeRole":
		return fmt.Sprintf("%s %s as %s by %s, external id %q, for %s s", f.Get("Action"), f.Get("RoleArn"), f.Get("RoleSessionName"),
			f.Get("AccessKeyId"), f.Get("ExternalId"), f.Get("DurationSeconds"))
	case "AssumeRoleWithOIDC":
		return fmt.Sprintf("%s %s as %s by %s of %s, for %s s", f.Get("Action"), f.Get("RoleArn"), f.Get("RoleSessionName"),
			f.Get("OIDCToken"), f.Get("OIDCProviderArn"), f.Get("DurationSeconds"))
	case "WhoAmI":
		return "WhoAmI"
	}
	return r.Method + " " + r.URL.Path
}

func reply(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// asked returns what was asked since the last time, but for who called.
func (c *cloud) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := slices.DeleteFunc(c.calls, func(call string) bool { return call == "WhoAmI" })
	c.calls = nil
	return calls
}

// set changes the cloud between calls.
func (c *cloud) set(change func(c *cloud)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

// RoundTrip implements http.RoundTripper.
func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	c.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (c *cloud) setSlow(d time.Duration) { c.set(func(c *cloud) { c.slow = d }) }

// serve puts the cloud behind a socket and returns options that reach it.
func (c *cloud) serve(t *testing.T) credentials.Options {
	t.Helper()
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	transport := rpc.NewTransport(4, nil)
	t.Cleanup(transport.CloseIdleConnections)
	o := c.options()
	o.Transport, o.STSEndpoint, o.MetadataEndpoint = transport, server.URL, server.URL
	return o
}

// options reach the cloud without a socket.
func (c *cloud) options() credentials.Options {
	return credentials.Options{
		Transport: c, STSEndpoint: "http://sts.invalid", MetadataEndpoint: "http://metadata.invalid", SessionName: "session", UserAgent: "test",
	}
}

func address(text string) func() string { return func() string { return text } }

func provider(t *testing.T, o credentials.Options) *credentials.Provider {
	t.Helper()
	p, err := credentials.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// whoami signs a call with the provider's credentials and returns who made it.
func (c *cloud) whoami(ctx context.Context, p *credentials.Provider) (string, error) {
	cred, err := p.Credentials(ctx)
	if err != nil {
		return "", err
	}
	client, err := rpc.New(rpc.Options{Endpoint: "http://api.invalid", Version: "1", RegionID: "cn-hangzhou", Transport: c, Timeout: time.Minute})
	if err != nil {
		return "", err
	}
	var answer struct{ ID string }
	_, err = client.Call(ctx, cred, "WhoAmI", nil, func(body io.Reader) error { return json.NewDecoder(body).Decode(&answer) })
	return answer.ID, err
}

// is fails unless the provider's credentials are those of an id.
func (c *cloud) is(t *testing.T, p *credentials.Provider, want string) {
	t.Helper()
	if got, err := c.whoami(t.Context(), p); err != nil || got != want {
		t.Errorf("calls are made by %q, %v; want %q", got, err, want)
	}
}

// fails fails unless the provider has no credentials, for this reason.
func fails(t *testing.T, p *credentials.Provider, want string) {
	t.Helper()
	if _, err := p.Credentials(t.Context()); fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// world is a test in fake time, with a cloud and a provider of temporary keys.
type world struct {
	*testing.T
	*cloud
	p *credentials.Provider
}

// bubble runs a test in fake time.
func bubble(t *testing.T, life time.Duration, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		c.life = life
		o := c.options()
		o.Source, o.URI = "uri", address("http://uri.invalid/credentials?token=uri-token")
		test(&world{t, c, provider(t, o)})
	})
}

func (w *world) is(want string) {
	w.Helper()
	w.cloud.is(w.T, w.p, want)
}

func (w *world) fails(want string) {
	w.Helper()
	fails(w.T, w.p, want)
}
