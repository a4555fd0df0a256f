package credentials

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/reason"
)

const (
	stsVersion = "2015-04-01"
	// sessionSeconds is how long assumed roles last: the longest that every role
	// allows.
	sessionSeconds = "3600"
)

// oidc exchanges a token that Kubernetes mounts, and replaces from time to time,
// for temporary credentials.
type oidc struct {
	caller
	endpoint, role, provider, tokenFile, session string
}

func (o oidc) fetch(ctx context.Context, _ bool) (lease, error) {
	token, err := readWord(o.tokenFile)
	if err != nil {
		return lease{}, fmt.Errorf("OIDC token file: %w", err)
	}
	query := url.Values{
		"Action": {"AssumeRoleWithOIDC"}, "Version": {stsVersion}, "Format": {"JSON"},
		"Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")},
	}
	form := url.Values{
		"RoleArn": {o.role}, "OIDCProviderArn": {o.provider}, "OIDCToken": {token},
		"RoleSessionName": {o.session}, "DurationSeconds": {sessionSeconds},
	}
	got, err := o.assume(ctx, query, form)
	if err != nil {
		return lease{}, fmt.Errorf("AssumeRoleWithOIDC: %w", err)
	}
	return got, nil
}

func (o oidc) assume(ctx context.Context, query, form url.Values) (lease, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.endpoint+"/?"+query.Encode(), strings.NewReader(form.Encode()))
	if err != nil {
		return lease{}, errors.New("the endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := o.ask(req)
	if err != nil {
		return lease{}, err
	}
	return parseSTS(answer)
}

// assumed assumes a role with the credentials of another Provider.
type assumed struct {
	from    *Provider
	sts     rpc.Options
	role    Role
	session string
}

func (a assumed) fetch(ctx context.Context, _ bool) (lease, error) {
	cred, err := a.from.Credentials(ctx)
	if err != nil {
		return lease{}, err
	}
	client, err := rpc.New(a.sts)
	if err != nil {
		return lease{}, fmt.Errorf("AssumeRole: %w", err)
	}
	params := map[string]string{"RoleArn": a.role.ARN, "RoleSessionName": a.session, "DurationSeconds": sessionSeconds}
	if a.role.ExternalID != "" {
		params["ExternalId"] = a.role.ExternalID
		cred = cred.Hiding(a.role.ExternalID)
	}
	var got lease
	_, err = client.Call(ctx, cred, "AssumeRole", params, func(body io.Reader) error {
		answer, readErr := io.ReadAll(io.LimitReader(body, maxAnswer))
		if readErr != nil {
			return readErr
		}
		got, err = parseSTS(answer)
		return err
	})
	if err != nil {
		if reason.Of(err) == reason.Auth {
			a.from.Invalidate() // a rotated base key fails here first
		}
		return lease{}, fmt.Errorf("AssumeRole: %w", err)
	}
	return got, nil
}

// metadata asks the metadata service of an ECS instance, version 2 only: version 1
// answers anyone who can make this host send a GET.
type metadata struct {
	caller
	endpoint, role string
}

func (m metadata) fetch(ctx context.Context, _ bool) (lease, error) {
	const roles, header = "/latest/meta-data/ram/security-credentials/", "X-aliyun-ecs-metadata-token"
	token, err := m.get(ctx, http.MethodPut, "/latest/api/token", "X-aliyun-ecs-metadata-token-ttl-seconds", "21600")
	if err != nil {
		return lease{}, fmt.Errorf("instance metadata: token: %w", err)
	}
	role := []byte(m.role)
	if m.role == "" {
		if role, err = m.get(ctx, http.MethodGet, roles, header, string(token)); err != nil {
			return lease{}, fmt.Errorf("instance metadata: name of the role: %w", err)
		}
	}
	answer, err := m.get(ctx, http.MethodGet, roles+url.PathEscape(string(role)), header, string(token))
	if err != nil {
		return lease{}, fmt.Errorf("instance metadata: credentials of the role: %w", err)
	}
	got, err := parse(answer)
	if err != nil {
		return lease{}, fmt.Errorf("instance metadata: %w", err)
	}
	return got, nil
}

// get makes one request with one header.
func (m metadata) get(ctx context.Context, method, path, header, value string) ([]byte, error) {
	// On other hosts nothing answers at this address, not even with a refusal.
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, m.endpoint+path, http.NoBody)
	if err != nil {
		return nil, errors.New("the endpoint is no address")
	}
	req.Header.Set(header, value)
	return m.ask(req)
}

// uri asks any address for temporary credentials.
type uri struct {
	caller
	address func() string
}

func (u uri) fetch(ctx context.Context, _ bool) (lease, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.address(), http.NoBody)
	if err != nil {
		return lease{}, errors.New("credentials URI: it is no address")
	}
	answer, err := u.ask(req)
	if err != nil {
		return lease{}, fmt.Errorf("credentials URI: %w", err)
	}
	got, err := parse(answer)
	if err != nil {
		return lease{}, fmt.Errorf("credentials URI: %w", err)
	}
	return got, nil
}

func (o *Options) assume(from *Provider, role Role, endpoint, session string) source {
	return assumed{from: from, role: role, sts: rpc.Options{
		Endpoint: endpoint, Version: stsVersion, RegionID: "cn-hangzhou", Transport: o.Transport,
		Timeout: fetchTimeout, UserAgent: o.UserAgent,
	}, session: session}
}

// metadata asks the instance itself, never through a proxy: a proxy would answer for
// its own host.
func (o *Options) metadata(role string) source {
	endpoint := o.MetadataEndpoint
	if endpoint == "" {
		endpoint = "http://100.100.100.200"
	}
	direct := o.Transport
	if t, ok := direct.(*http.Transport); ok {
		t = t.Clone()
		t.Proxy = nil
		direct = t
	}
	return metadata{caller{o.UserAgent, client(direct)}, endpoint, role}
}
