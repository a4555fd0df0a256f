// Package deploy_test compares what operators deploy with the program.
package deploy_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect    string
	Action    any                          // a string or a list
	Resource  string                       `json:",omitempty"` // of a permission policy
	Principal map[string][]string          `json:",omitempty"` // of a trust policy
	Condition map[string]map[string]string `json:",omitempty"`
}

// read reads a policy as strictly as RAM does.
func read(t *testing.T, name string) statement {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var p policy
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if p.Version != "1" || len(p.Statement) != 1 {
		t.Fatalf("%s: version %q with %d statements, want version 1 with one", name, p.Version, len(p.Statement))
	}
	return p.Statement[0]
}

func TestPolicyAllowsWhatTheClientCalls(t *testing.T) {
	// RAM's page of DescribeDeploymentJob names its action DescribeDeployment.
	want := []any{"yundun-cert:DescribeDeployment"}
	for _, action := range called(t) {
		want = append(want, "yundun-cert:"+action)
	}
	got := read(t, "ram-policy.json")
	if diff := cmp.Diff(statement{Effect: "Allow", Action: want, Resource: "*"}, got); diff != "" {
		t.Errorf("ram-policy.json (-want +got):\n%s", diff)
	}
}

// called returns the API's actions in the source of the client, sorted.
func called(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../internal/cas/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("the client's source: %v, %v", files, err)
	}
	var actions []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || method.Sel.Name != "call" {
				return true
			}
			literal, ok := call.Args[1].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s: an action is not a literal, so that this test cannot see it", name)
				return true
			}
			action, _ := strconv.Unquote(literal.Value)
			actions = append(actions, action)
			return true
		})
	}
	if len(actions) == 0 {
		t.Fatal("no call is found in the client's source")
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

func TestTrustIsNarrow(t *testing.T) {
	for name, want := range map[string]struct {
		principal  string
		conditions []string
	}{
		"ram-trust-ecs.json": {"Service", nil},
		// Without a subject every pod of the cluster could take the role.
		"ram-trust-rrsa.json":    {"Federated", []string{"oidc:aud", "oidc:iss", "oidc:sub"}},
		"ram-trust-account.json": {"RAM", []string{"sts:ExternalId"}},
	} {
		got := read(t, name)
		if got.Effect != "Allow" || got.Action != "sts:AssumeRole" || got.Resource != "" {
			t.Errorf("%s: %s %v on %q, want only to allow sts:AssumeRole", name, got.Effect, got.Action, got.Resource)
		}
		principals := got.Principal[want.principal]
		if len(got.Principal) != 1 || len(principals) != 1 || strings.Contains(principals[0], "*") {
			t.Errorf("%s: principal %v, want one %s", name, got.Principal, want.principal)
		}
		conditions := slices.Sorted(maps.Keys(got.Condition["StringEquals"]))
		if diff := cmp.Diff(want.conditions, conditions); diff != "" {
			t.Errorf("%s: conditions (-want +got):\n%s", name, diff)
		}
	}
	if got := read(t, "ram-assume-role.json"); got.Action != "sts:AssumeRole" || strings.Contains(got.Resource, "*") {
		t.Errorf("ram-assume-role.json: %v on %q, want sts:AssumeRole on one role", got.Action, got.Resource)
	}
}
