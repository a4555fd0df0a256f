package rpc

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"aliyun_cas_exporter/internal/reason"
)

// Options configure a Client. Every field is required except UserAgent.
type Options struct {
	// Endpoint is the scheme and host of the API: https://cas.aliyuncs.com.
	Endpoint string
	// Version is the version of the API: 2020-04-07.
	Version string
	// RegionID is the region parameter of every call: cn-hangzhou.
	RegionID string
	// Transport sends; see NewTransport.
	Transport http.RoundTripper
	// Timeout bounds one call, from signing to the last byte.
	Timeout time.Duration
	// UserAgent names the program in requests.
	UserAgent string
}

// Client signs and sends calls to one endpoint. It is safe for concurrent use.
type Client struct {
	options  Options
	endpoint *url.URL
	http     *http.Client
}

// New returns a Client, or an error when the endpoint is not a scheme and a host.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("endpoint is not an address such as https://cas.aliyuncs.com")
	}
	return &Client{options: o, endpoint: u, http: &http.Client{
		Transport: o.Transport,
		// Following a redirect would send the signed URL as Referer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Call sends one call of action with params and hands the body of a successful
// answer to decode. Every error is an *Error, or the error of decode if the body could
// be read. The Answer is returned for failed calls too, if there was one.
func (c *Client) Call(ctx context.Context, cred Credentials, action string, params map[string]string, decode func(io.Reader) error) (Answer, error) {
	answer, err := c.call(ctx, cred, action, params, decode)
	if err != nil {
		err = cred.hide(err)
	}
	return answer, err
}

func (c *Client) call(ctx context.Context, cred Credentials, action string, params map[string]string, decode func(io.Reader) error) (Answer, error) {
	within, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	req, err := c.request(within, cred, action, params)
	if err != nil {
		return Answer{}, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, c.broken(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return newAnswer(resp.Header, cred), c.read(ctx, resp, decode)
}

// read reads an answer.
func (c *Client) read(ctx context.Context, resp *http.Response, decode func(io.Reader) error) error {
	if resp.StatusCode/100 != 2 {
		refusal, readErr := refused(resp)
		if readErr != nil && refusal.Code == "" {
			return c.broken(ctx, readErr)
		}
		return refusal
	}
	body := &boundedReader{r: resp.Body, left: maxBody}
	err := decode(body)
	switch {
	case err == nil:
		return nil
	case body.over:
		return newError(reason.Decode, "the answer is longer than %d MiB", maxBody>>20)
	case body.err != nil:
		return c.broken(ctx, body.err)
	}
	if refusal, ok := errors.AsType[*Error](err); ok {
		refusal.hinted(resp.Header)
	} else if page := WebPage(body.begin); page != nil {
		return page
	}
	return err
}

// request returns a signed request. Each call needs its own, because signing changes it.
func (c *Client) request(ctx context.Context, cred Credentials, action string, params map[string]string) (*http.Request, error) {
	r := requests.NewCommonRequest()
	r.Product, r.Version, r.ApiName = "rpc", c.options.Version, action
	r.Scheme, r.Domain, r.Method = c.endpoint.Scheme, c.endpoint.Host, requests.POST
	maps.Copy(r.QueryParams, params)
	r.TransToAcsRequest()
	if err := sign(r, c.options.RegionID, cred); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.GetMethod(), r.BuildUrl(), http.NoBody)
	if err != nil {
		return nil, newError(reason.BadRequest, "the request cannot be built")
	}
	for name, value := range r.GetHeaders() {
		req.Header.Set(name, value)
	}
	// The SDK asks for identity; without the header net/http offers gzip and undoes it.
	req.Header.Del("Accept-Encoding")
	req.Header.Set("User-Agent", c.options.UserAgent)
	return req, nil
}

func sign(r requests.AcsRequest, regionID string, cred Credentials) error {
	if err := auth.Sign(r, nil, regionID, signer{cred}); err != nil {
		return newError(reason.Auth, "the request cannot be signed")
	}
	return nil
}

// signer hands fixed credentials to the SDK, which asks a provider.
type signer struct{ cred Credentials }

func (s signer) GetCredentials() (*credentials.Credentials, error) {
	k := s.cred.open()
	return &credentials.Credentials{
		AccessKeyId:     k.id,
		AccessKeySecret: k.secret,
		SecurityToken:   k.token,
		ProviderName:    s.GetProviderName(),
	}, nil
}

func (signer) GetProviderName() string { return "aliyun_cas_exporter" }

// broken explains why a call got no whole answer.
func (c *Client) broken(ctx context.Context, err error) *Error {
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{text: "cancelled", cause: context.Canceled}
	case ctx.Err() != nil:
		return &Error{reason: reason.Timeout, text: "the poll's deadline passed", cause: context.DeadlineExceeded}
	case errors.Is(err, context.DeadlineExceeded):
		return newError(reason.Timeout, "no whole answer within %v", c.options.Timeout)
	case errors.As(err, &timeout) && timeout.Timeout():
		return newError(reason.Timeout, "no connection in time")
	}
	return newError(reason.Network, "%s", Unanswered(err))
}
