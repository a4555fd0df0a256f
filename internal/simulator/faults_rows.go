package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"strings"
	"sync/atomic"
)

// pages are listings whose pages do not fit together.
func pages() map[string]fault {
	var changing atomic.Int64
	total := func(does string, value func(any) any) fault {
		return fault{does: does, change: func(a map[string]any) {
			if t, ok := a["Total"]; ok {
				a["Total"] = value(t)
			}
		}}
	}
	data := func(does string, change func([]any) any) fault {
		return fault{does: does, change: func(a map[string]any) {
			if rows, ok := a["Data"].([]any); ok {
				a["Data"] = change(rows)
			}
		}}
	}
	asked := func(does string, change func(url.Values)) fault {
		return fault{does: does, request: func(form url.Values) url.Values {
			changed := url.Values{}
			maps.Copy(changed, form)
			change(changed)
			return changed
		}}
	}
	clamped := asked("", func(f url.Values) { f.Set("ShowSize", "20") }).request
	return map[string]fault{
		"clamp-unsaid":   {does: "20 rows are served, nothing is reported", request: clamped, change: func(a map[string]any) { delete(a, "ShowSize") }},
		"show-size-1":    {does: "ShowSize is 1, the page is whole", change: func(a map[string]any) { a["ShowSize"] = 1 }},
		"total-high":     total("Total is one too high", func(t any) any { return t.(int) + 1 }),
		"total-low":      total("Total is one too low", func(t any) any { return max(0, t.(int)-1) }),
		"total-changes":  total("every answer has another Total", func(t any) any { return t.(int) + int(changing.Add(1)) }),
		"total-negative": total("Total is negative", func(any) any { return -1 }),
		"total-huge":     total("Total is a thousand million", func(any) any { return 1_000_000_000 }),
		"total-overflow": total("Total is beyond 64 bits", func(any) any { return json.Number("99999999999999999999") }),
		"total-string":   total("Total is a string", func(t any) any { return fmt.Sprint(t) }),
		"total-fraction": total("Total is a fraction", func(t any) any { return float64(t.(int)) + .5 }),
		"total-missing":  {does: "Total is missing", change: func(a map[string]any) { delete(a, "Total") }},
		"data-missing":   {does: "Data is missing", change: func(a map[string]any) { delete(a, "Data") }},
		"data-null":      data("Data is null", func([]any) any { return nil }),
		"data-object":    data("Data is an object", func([]any) any { return map[string]any{} }),
		"empty-page":     data("the page is empty", func([]any) any { return []any{} }),
		"short-page":     data("the page lacks its last row", func(rows []any) any { return rows[:max(0, len(rows)-1)] }),
		"duplicate-row": data("the last row of the page is served twice", func(rows []any) any {
			return append(rows, rows[max(0, len(rows)-1):]...)
		}),
		"replaced-row": data("the last row of the page is the first again", func(rows []any) any {
			if len(rows) > 1 {
				rows[len(rows)-1] = rows[0]
			}
			return rows
		}),
		"duplicate-page":      asked("page 1 is served whatever is asked for", func(f url.Values) { f.Set("CurrentPage", "1") }),
		"filter-ignored":      asked("filters are ignored", func(f url.Values) { f.Del("Status"); f.Del("CloudProduct") }),
		"clamp-20":            asked("20 rows are served and reported", func(f url.Values) { f.Set("ShowSize", "20") }),
		"clamp-silent":        {does: "20 rows are served, what was asked for is reported", request: clamped, change: func(a map[string]any) { a["ShowSize"] = 50 }},
		"show-size-missing":   {does: "ShowSize is missing", change: func(a map[string]any) { delete(a, "ShowSize") }},
		"job-not-found-empty": {does: "an empty list", change: func(a map[string]any) { a["Total"], a["Data"] = 0, []any{} }},
		"gzip-body":           {does: "the body is compressed, unasked", zip: true},
	}
}

// rows are answers whose rows are unusual.
func rows() map[string]fault {
	each := func(does string, change func(map[string]any)) fault {
		return fault{does: does, change: func(a map[string]any) {
			list, _ := a["Data"].([]any)
			for _, row := range list {
				if m, ok := row.(map[string]any); ok {
					change(m)
				}
			}
		}}
	}
	set := func(does, name string, value any) fault {
		return each(does, func(row map[string]any) { row[name] = value })
	}
	hostile := "\"<script>alert(1)</script>\n\\ {}\u202e" + strings.Repeat("x", 10_000)
	return map[string]fault{
		"row-without-id":     each("rows have no Id", func(row map[string]any) { delete(row, "Id") }),
		"row-id-zero":        set("rows have the Id 0", "Id", 0),
		"row-id-text":        set("rows have a word as Id", "Id", "abc"),
		"unknown-status":     set("rows have an undocumented status", "Status", "paused"),
		"missing-status":     each("rows have no status", func(row map[string]any) { delete(row, "Status") }),
		"strings-as-numbers": set("rows have a number as status", "Status", 7),
		"unknown-product":    set("rows have an undocumented product", "CloudProduct", "QUANTUM"),
		"missing-region":     each("rows have no region", func(row map[string]any) { delete(row, "RegionId"); delete(row, "CloudRegion") }),
		"hostile-labels":     each("texts have quotes, newlines and 10 kB", func(row map[string]any) { row["CloudProduct"], row["CertName"] = hostile, hostile }),
		"times-seconds":      set("times are in seconds", "GmtModified", 1_700_000_000),
		"times-floats":       set("times are floating-point numbers", "GmtModified", json.Number("1.7E12")),
		"times-zero":         set("times are 0", "GmtModified", "0"),
		"times-garbage":      set("times are words", "GmtModified", "yesterday"),
		"times-negative":     set("times are negative", "GmtModified", -5),
		"times-huge":         set("times are beyond all years", "GmtModified", json.Number("9223372036854775807")),
		"extra-fields":       set("rows have fields of their own", "Nested", map[string]any{"a": []any{1, map[string]any{"b": nil}}}),
		"nulls":              each("rows have null where nothing applies", func(row map[string]any) { row["InstanceId"], row["Port"], row["OrderId"] = nil, nil, nil }),
		"numbers-as-strings": each("ids and ports are strings", func(row map[string]any) { row["Id"], row["Port"] = fmt.Sprint(row["Id"]), "443" }),
		"ids-19-digits": each("ids have 19 digits", func(row map[string]any) {
			if id, ok := row["Id"].(int64); ok { // certificates have none
				row["Id"] = math.MaxInt64 - id
			}
		}),
		"row-null": {does: "the first row is null", change: func(a map[string]any) {
			if list, ok := a["Data"].([]any); ok && len(list) > 0 {
				list[0] = nil
			}
		}},
		"invalid-utf8": {does: "texts are not valid UTF-8", text: func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(`"CloudProduct":"`), []byte("\"CloudProduct\":\"\xff\xfe"))
		}},
		"duplicate-keys": {does: "keys are given twice", text: func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(`"Status":`), []byte(`"Status":"first","Status":`))
		}},
	}
}
