package cas

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// maxRows is the maximum number of rows of an answer, unless more were asked for. Short
// rows take far more memory than their part of the answer.
const maxRows = 1000

// envelope holds the fields that every answer can have.
type envelope struct {
	code, message, requestID string
	total                    int64
	hasTotal, hasData        bool
	rows                     int // in Data
}

// field reads the value of a field of the envelope, or skips an unknown one.
func (e *envelope) field(d *decoder) {
	switch string(d.key) {
	case "Code":
		e.code = d.text()
	case "Message":
		e.message = d.text()
	case "RequestId":
		e.requestID = d.text()
	case "Total":
		e.total, e.hasTotal = d.integer("Total"), true
	default:
		d.skip()
	}
}

// err returns why an answer is useless; the API's own error comes first.
func (e *envelope) err(d *decoder) error {
	if refusal := e.refusal(); refusal != nil {
		return refusal
	}
	if d.wrong != nil {
		return rpc.Undocumented(d.wrong, e.requestID)
	}
	return nil
}

// refusal returns an error if an answer with status 200 says that the call failed. Some
// gateways set a code of success in good answers.
func (e *envelope) refusal() error {
	switch strings.ToLower(e.code) {
	case "", "200", "ok", "success":
		return nil
	}
	return rpc.Refused(200, e.code, e.message, e.requestID)
}

// list reads an answer that has its rows, of which so many were asked for, in Data. row
// consumes one.
func (e *envelope) list(d *decoder, size int, row func()) {
	if !d.enter('{') {
		d.complain("the answer is not an object")
		return
	}
	for d.field() {
		if string(d.key) != "Data" {
			e.field(d)
			continue
		}
		e.hasData = true
		e.data(d, max(size, maxRows), row)
	}
}

// data reads the elements of Data, at most so many. null is an empty list.
func (e *envelope) data(d *decoder, most int, row func()) {
	if d.kind() == jsontext.KindNull {
		d.skip()
		return
	}
	if !d.enter('[') {
		d.complain("Data is not a list")
		return
	}
	for d.element() {
		if e.rows++; e.rows > most {
			d.complain("Data holds more than %d rows", most)
			d.skip()
			continue
		}
		row()
	}
}

// pageErr is err of an answer that is one page of several.
func (e *envelope) pageErr(d *decoder) error {
	switch {
	case !e.hasTotal:
		d.complain("Total is missing")
	case e.total < 0:
		d.complain("Total is negative")
	case !e.hasData && e.total > 0:
		d.complain("Data is missing")
	}
	return e.err(d)
}
