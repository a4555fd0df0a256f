package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aliyun_cas_exporter/internal/cas/rpc"
)

const (
	stsVersion = "2015-04-01"
	// session is how long assumed roles last, in seconds: the longest that every
	// role allows.
	session = "3600"
)

// oidc exchanges a token that Kubernetes mounts for temporary credentials.
type oidc struct {
	client                                           *http.Client
	endpoint, role, provider, tokenFile, sessionName string
}

func (o oidc) fetch(ctx context.Context) (lease, error) {
	token, err := readText(o.tokenFile)
	if err != nil {
		return lease{}, fmt.Errorf("OIDC token file: %w", err)
	}
	query := url.Values{
		"Action": {"AssumeRoleWithOIDC"}, "Version": {stsVersion}, "Format": {"JSON"},
		"Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")},
	}
	form := url.Values{
		"RoleArn": {o.role}, "OIDCProviderArn": {o.provider}, "OIDCToken": {token},
		"RoleSessionName": {o.sessionName}, "DurationSeconds": {session},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.endpoint+"/?"+query.Encode(), strings.NewReader(form.Encode()))
	if err != nil {
		return lease{}, errors.New("AssumeRoleWithOIDC: the endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var got lease
	err = do(o.client, req, func(body io.Reader) error {
		got, err = sts(body)
		return err
	})
	if err != nil {
		return lease{}, fmt.Errorf("AssumeRoleWithOIDC: %w", err)
	}
	return got, nil
}

// assumed assumes a role with the credentials of another Provider.
type assumed struct {
	from      *Provider
	transport http.RoundTripper
	endpoint  string
	role      Role
}

func (a assumed) fetch(ctx context.Context) (lease, error) {
	cred, err := a.from.Credentials(ctx)
	if err != nil {
		return lease{}, err
	}
	caller, err := rpc.New(rpc.Options{
		Endpoint: a.endpoint, Version: stsVersion, RegionID: "cn-hangzhou", Transport: a.transport,
		Timeout: fetchTimeout, UserAgent: a.role.SessionName,
	})
	if err != nil {
		return lease{}, fmt.Errorf("AssumeRole: %w", err)
	}
	params := map[string]string{"RoleArn": a.role.ARN, "RoleSessionName": a.role.SessionName, "DurationSeconds": session}
	if a.role.ExternalID != "" {
		params["ExternalId"] = a.role.ExternalID
	}
	var got lease
	err = caller.Call(ctx, cred, "AssumeRole", params, func(body io.Reader) error {
		got, err = sts(body)
		return err
	})
	if err != nil {
		a.from.Invalidate() // a rotated base key fails here first
		return lease{}, fmt.Errorf("AssumeRole: %w", err)
	}
	return got, nil
}

// metadata asks the metadata service of an ECS instance, version 2 only: version 1
// answers anyone who can make this host send a GET.
type metadata struct {
	client         *http.Client
	endpoint, role string
}

func (m metadata) fetch(ctx context.Context) (lease, error) {
	token, err := m.ask(ctx, http.MethodPut, "/latest/api/token", "X-aliyun-ecs-metadata-token-ttl-seconds", "21600")
	if err != nil {
		return lease{}, fmt.Errorf("instance metadata: token: %w", err)
	}
	role := m.role
	const roles = "/latest/meta-data/ram/security-credentials/"
	if role == "" {
		if role, err = m.ask(ctx, http.MethodGet, roles, "X-aliyun-ecs-metadata-token", token); err != nil {
			return lease{}, fmt.Errorf("instance metadata: name of the role: %w", err)
		}
	}
	text, err := m.ask(ctx, http.MethodGet, roles+url.PathEscape(role), "X-aliyun-ecs-metadata-token", token)
	if err != nil {
		return lease{}, fmt.Errorf("instance metadata: credentials: %w", err)
	}
	got, err := parseTemporary([]byte(text))
	if err != nil {
		return lease{}, fmt.Errorf("instance metadata: %w", err)
	}
	return got, nil
}

// ask makes one request with one header and returns the trimmed answer.
func (m metadata) ask(ctx context.Context, method, path, header, value string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, m.endpoint+path, http.NoBody)
	if err != nil {
		return "", errors.New("the endpoint is no address")
	}
	req.Header.Set(header, value)
	var text []byte
	err = do(m.client, req, func(body io.Reader) error {
		text, err = io.ReadAll(body)
		if err != nil {
			return errors.New("the answer was cut short")
		}
		return nil
	})
	return strings.TrimSpace(string(text)), err
}

// uri asks any address for temporary credentials.
type uri struct {
	client  *http.Client
	address string
}

func (u uri) fetch(ctx context.Context) (lease, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.address, http.NoBody)
	if err != nil {
		return lease{}, errors.New("credentials URI: it is no address")
	}
	var got lease
	err = do(u.client, req, func(body io.Reader) error {
		text, readErr := io.ReadAll(body)
		if readErr != nil {
			return errors.New("the answer was cut short")
		}
		got, err = parseTemporary(text)
		return err
	})
	if err != nil {
		return lease{}, fmt.Errorf("credentials URI: %w", err)
	}
	return got, nil
}

// parseTemporary reads temporary credentials with their Code.
func parseTemporary(body []byte) (lease, error) {
	var t temporary
	if json.Unmarshal(body, &t) != nil {
		return lease{}, errors.New("the answer is not the documented JSON")
	}
	if t.Code != "" && t.Code != "Success" {
		return lease{}, errors.New("the answer says that it failed" + code(t.Code))
	}
	return t.lease()
}
