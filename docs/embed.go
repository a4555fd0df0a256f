// Package docs holds the documents that the program itself serves.
package docs

import _ "embed" // for Runbooks

// Runbooks is the Markdown of runbooks.md.
//
//go:embed runbooks.md
var Runbooks string
