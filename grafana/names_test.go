package grafana_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// marked gives each variable a value that is found again in a parsed query.
func marked(d *dashboard) map[string]string {
	marks := map[string]string{}
	for _, v := range d.Templating.List[1:] {
		marks[v.Name] = "chosen_" + v.Name
	}
	return marks
}

// checkNames holds the names and labels of all queries against the series that
// there are, by Prometheus' own parser, and every selector against the variables.
func checkNames(t *testing.T, p prometheus, d *dashboard) {
	t.Helper()
	c := checker{t: t, p: p, d: d, known: map[string][]string{}}
	for _, q := range d.queries() {
		follow := marked(d)
		if slices.Contains(ofAllExporters(), q.where) {
			delete(follow, "instance")
		}
		c.check(q.where, q.expr, follow)
	}
	for _, v := range d.Templating.List[1:] {
		expr := strings.TrimSuffix(strings.TrimPrefix(v.Query, "query_result("), ")")
		if rest, ok := strings.CutPrefix(v.Query, "label_values("); ok {
			expr = rest[:strings.LastIndex(rest, ",")]
		}
		c.check("variable "+v.Name, expr, nil)
	}
}

// ofAllExporters returns the queries that are about all exporters, whichever are
// chosen: a shard may be missing among all only, and the limit stands beside the
// requests of all.
func ofAllExporters() []string { return []string{"Missing shards A", "Requests a second B"} }

// checker walks parsed queries.
type checker struct {
	t     *testing.T
	p     prometheus
	d     *dashboard
	known map[string][]string // labels by name

	where  string
	follow map[string]string // variables that selectors must follow, with their marks
}

func (c *checker) check(where, expr string, follow map[string]string) {
	c.t.Helper()
	c.where, c.follow = where, follow
	var tree map[string]any
	if err := c.p.get("parse_query", &tree, "query", interpolate(c.t, c.d, expr, marked(c.d))); err != nil {
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
	matched := map[string]any{}
	for _, m := range tree["matchers"].([]any) {
		matcher := m.(map[string]any)
		label := matcher["name"].(string)
		c.has(label, labels, name)
		matched[label] = matcher["value"]
	}
	for variable, mark := range c.follow {
		if label := labelOf()[variable]; slices.Contains(labels, label) && matched[label] != mark {
			c.t.Errorf("%s: %s is not filtered by the variable %s", c.where, name, variable)
		}
	}
	return labels
}

func (c *checker) aggregation(tree map[string]any) []string {
	labels := c.labels(tree["expr"].(map[string]any))
	grouping := texts(tree["grouping"])
	without := tree["without"].(bool)
	for _, label := range grouping {
		// Where replicas are pods, these tell them apart.
		if !without || label != "pod" && label != "node" {
			c.has(label, labels, "the aggregation")
		}
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
	if !slices.Contains(labels, label) {
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
