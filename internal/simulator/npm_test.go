package simulator_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aliyun_cas_exporter/internal/simulator"
)

// nodeCall is a call that testdata/npm/client.js makes.
type nodeCall struct {
	Action     string         `json:"action"`
	Parameters map[string]any `json:"parameters"`
	ID         string         `json:"id"`
	Secret     string         `json:"secret"`
	Token      string         `json:"token"`
	Algorithm  string         `json:"algorithm"` // v2 is HMAC-SHA1; empty is ACS3-HMAC-SHA256
}

type nodeResult struct {
	Status int
	Code   string
	Body   map[string]any
}

// TestNodeClient lets the client that Alibaba Cloud generates for JavaScript read the
// simulator by both kinds of signature, and be refused.
func TestNodeClient(t *testing.T) {
	node, err := exec.LookPath("node")
	if _, notThere := os.Stat(filepath.Join(os.Getenv("NODE_PATH"), "@alicloud/cas20200407")); err != nil || notThere != nil {
		t.Skip("needs Node.js and the client: run .ci/test.sh npm")
	}
	s := simulator.New(simulator.Options{AccessKeyID: "STS.id", AccessKeySecret: "secret+/=", SecurityToken: "token+/=="})
	s.PutJob(simulator.Job{ID: 8888, Name: "renew *~ 证书", Status: "success", JobType: "user", Certificates: []simulator.Certificate{{ID: 7, Name: "c"}}},
		[]simulator.Worker{{ID: 1, Status: "error", CloudProduct: "SLB", RegionID: "cn-hangzhou", Port: 443}, {ID: 2, Status: "success", CloudProduct: "CDN"}})
	server := httptest.NewServer(s)
	defer server.Close()
	job := map[string]any{"jobId": 8888}
	tests := []struct {
		name    string
		call    nodeCall
		status  int
		code    string
		field   string // of a good answer
		want    any
		problem string
	}{
		{name: "workers", call: nodeCall{Action: "ListWorkerResource", Parameters: map[string]any{"jobId": 8888, "currentPage": 1, "showSize": 50}}, field: "total", want: 2.},
		{name: "workers, filtered", call: nodeCall{Action: "ListWorkerResource", Parameters: map[string]any{"jobId": 8888, "status": "error", "cloudProduct": "slb"}}, field: "total", want: 1.},
		{name: "jobs", call: nodeCall{Action: "ListDeploymentJob", Parameters: map[string]any{"jobType": "user"}}, field: "total", want: 1.},
		{name: "a job", call: nodeCall{Action: "DescribeDeploymentJob", Parameters: job}, field: "name", want: "renew *~ 证书"},
		{name: "counts", call: nodeCall{Action: "DescribeDeploymentJobStatus", Parameters: job}, field: "workerCount", want: 2.},
		{name: "counts without a job", call: nodeCall{Action: "DescribeDeploymentJobStatus"}, field: "workerCount", want: 2.},
		{name: "certificates", call: nodeCall{Action: "ListDeploymentJobCert", Parameters: job}, field: "requestId", want: "5E0F3A52-0000-5000-8000-51A0DE300000"},
		{name: "wrong secret", call: nodeCall{Action: "ListDeploymentJob", Secret: "wrong"}, status: 400, code: "SignatureDoesNotMatch"},
		{name: "wrong id", call: nodeCall{Action: "ListDeploymentJob", ID: "STS.other"}, status: 404, code: "InvalidAccessKeyId.NotFound"},
		{name: "wrong token", call: nodeCall{Action: "ListDeploymentJob", Token: "other"}, status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey"},
		{name: "unknown job", call: nodeCall{Action: "DescribeDeploymentJob", Parameters: map[string]any{"jobId": 1}}, status: 404, code: "NotFound"},
		{name: "an action that it does not know", call: nodeCall{Action: "ListContact"}, status: 404, code: "InvalidAction.NotFound"},
	}
	for _, algorithm := range []string{"", "v2"} {
		var calls []nodeCall
		for _, test := range tests {
			call := test.call
			call.Algorithm = algorithm
			for _, key := range []struct {
				at    *string
				value string
			}{{&call.ID, "STS.id"}, {&call.Secret, "secret+/="}, {&call.Token, "token+/=="}} {
				if *key.at == "" {
					*key.at = key.value
				}
			}
			calls = append(calls, call)
		}
		input, err := json.Marshal(map[string]any{"endpoint": strings.TrimPrefix(server.URL, "http://"), "calls": calls})
		if err != nil {
			t.Fatal(err)
		}
		client := exec.CommandContext(t.Context(), node, "testdata/npm/client.js")
		client.Stdin = bytes.NewReader(input)
		var output, complaint bytes.Buffer
		client.Stdout, client.Stderr = &output, &complaint
		if err := client.Run(); err != nil {
			t.Fatalf("%v\n%s", err, &complaint)
		}
		var results []nodeResult
		if err := json.Unmarshal(output.Bytes(), &results); err != nil || len(results) != len(tests) {
			t.Fatalf("%d results, %v\n%s", len(results), err, &output)
		}
		for i, test := range tests {
			got := results[i]
			if test.code == "" {
				test.status = 200
			}
			if got.Status != test.status || got.Code != test.code || test.field != "" && got.Body[test.field] != test.want {
				t.Errorf("%q, %s: got %d %q %v, want %d %q and %s %v", algorithm, test.name, got.Status, got.Code, got.Body, test.status, test.code, test.field, test.want)
			}
		}
	}
}
