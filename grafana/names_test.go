package grafana_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// checkLabels checks by Prometheus' own parser that the labels by which queries
// aggregate and join are labels of the series there: of ours, those that are shipped.
func checkLabels(t *testing.T, p prometheus, d *dashboard) {
	t.Helper()
	c := checker{t: t, p: p, known: map[string][]string{}}
	for name, labels := range shipped(t) {
		c.known[name] = append(labels, "cluster", "namespace", "job", "instance")
	}
	for _, q := range d.queries() {
		c.check(q.where, interpolate(t, d, q.expr, nil))
	}
	for _, v := range d.chosenBy() {
		expr := strings.TrimSuffix(strings.TrimPrefix(v.Query, "query_result("), ")")
		if rest, ok := strings.CutPrefix(v.Query, "label_values("); ok {
			expr = rest[:strings.LastIndex(rest, ",")]
		}
		c.check("variable "+v.Name, interpolate(t, d, expr, nil))
	}
}

// checker walks parsed queries.
type checker struct {
	t     *testing.T
	p     prometheus
	known map[string][]string // labels by name

	where    string
	optional []string // labels that need not be there
}

func (c *checker) check(where, expr string) {
	c.t.Helper()
	c.where, c.optional = where, []string{"api_region"} // there are several at once only if CAS_REGION_ID lists them
	if strings.Contains(expr, "ALERTS") {               // the labels of an alert are those that fired
		c.optional = append(c.optional, "account", "job_id", "cloud_product", "region_id", "status", "common_name", "reason")
	}
	var tree map[string]any
	if err := c.p.get("parse_query", &tree, "query", expr); err != nil {
		c.t.Errorf("%s: %v", where, err)
		return
	}
	c.labels(tree)
}

// labels returns the labels that the series of an expression can have.
func (c *checker) labels(tree map[string]any) []string {
	switch tree["type"] {
	case "vectorSelector", "matrixSelector":
		return c.selector(tree)
	case "aggregation":
		return c.aggregation(tree)
	case "binaryExpr":
		return c.binary(tree)
	case "call":
		var labels []string
		for _, arg := range tree["args"].([]any) {
			labels = append(labels, c.labels(arg.(map[string]any))...)
		}
		if name := tree["func"].(map[string]any)["name"]; name == "label_replace" || name == "label_join" {
			labels = append(labels, tree["args"].([]any)[1].(map[string]any)["val"].(string))
		}
		return labels
	case "parenExpr", "unaryExpr", "subquery":
		return c.labels(tree["expr"].(map[string]any))
	case "numberLiteral", "stringLiteral":
		return nil
	default:
		c.t.Errorf("%s: the test does not know a %v", c.where, tree["type"])
		return nil
	}
}

func (c *checker) selector(tree map[string]any) []string {
	name, _ := tree["name"].(string)
	labels, ok := c.known[name]
	if !ok {
		if err := c.p.get("labels", &labels, "match[]", name); err != nil || len(labels) == 0 {
			c.t.Errorf("%s: nobody exports %q (%v)", c.where, name, err)
			return nil
		}
		c.known[name] = labels
	}
	for _, m := range tree["matchers"].([]any) {
		if m := m.(map[string]any); m["name"] != "__name__" && !strings.HasPrefix(m["value"].(string), ".*") {
			c.has(m["name"].(string), labels, name)
		}
	}
	return labels
}

func (c *checker) aggregation(tree map[string]any) []string {
	labels := c.labels(tree["expr"].(map[string]any))
	grouping := texts(tree["grouping"])
	without := tree["without"].(bool)
	for _, label := range grouping {
		c.has(label, labels, "the aggregation")
	}
	switch {
	case slices.Contains([]string{"topk", "bottomk"}, tree["op"].(string)):
		return labels
	case without:
		return slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return slices.Contains(grouping, l) })
	default:
		return grouping
	}
}

func (c *checker) binary(tree map[string]any) []string {
	left, right := c.labels(tree["lhs"].(map[string]any)), c.labels(tree["rhs"].(map[string]any))
	matching, ok := tree["matching"].(map[string]any)
	if !ok {
		return append(left, right...)
	}
	if matching["on"].(bool) {
		for _, label := range texts(matching["labels"]) {
			c.has(label, left, "the left side")
			c.has(label, right, "the right side")
		}
	}
	one, many := right, left
	if matching["card"] == "one-to-many" {
		one, many = left, right
	}
	for _, label := range texts(matching["include"]) {
		c.has(label, one, "the side of one")
	}
	if op := tree["op"]; op == "or" {
		return append(many, one...)
	}
	return append(many, texts(matching["include"])...)
}

func (c *checker) has(label string, labels []string, what string) {
	if !slices.Contains(labels, label) && !slices.Contains(c.optional, label) {
		c.t.Errorf("%s: %s has no label %s, only %v", c.where, what, label, slices.Sorted(maps.Keys(setOf(labels))))
	}
}

func setOf(labels []string) map[string]bool {
	set := map[string]bool{}
	for _, l := range labels {
		set[l] = true
	}
	return set
}

func texts(list any) []string {
	items, _ := list.([]any)
	all := make([]string, len(items))
	for i, item := range items {
		all[i] = item.(string)
	}
	return all
}
