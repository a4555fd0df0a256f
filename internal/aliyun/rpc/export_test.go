package rpc

import (
	"maps"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
)

// Classify and RetryAfter are tested by table.
var (
	Classify   = classify
	RetryAfter = retryAfter
)

// vector is a request whose nonce is fixed: the SDK draws one while it signs.
type vector struct {
	*requests.CommonRequest
	nonce string
}

func (v vector) GetQueryParams() map[string]string {
	params := v.CommonRequest.GetQueryParams()
	if params["SignatureNonce"] != "" {
		params["SignatureNonce"] = v.nonce
	}
	return params
}

// Signature returns what the client sends for a call, given its nonce.
func Signature(method, action, nonce, regionID string, cred Credentials, params map[string]string) (string, error) {
	r := requests.NewCommonRequest()
	r.Version, r.ApiName, r.Method = "2020-04-07", action, method
	maps.Copy(r.QueryParams, params)
	r.TransToAcsRequest()
	err := sign(vector{r, nonce}, regionID, cred)
	return r.QueryParams["Signature"], err
}
