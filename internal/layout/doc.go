// Package layout tests what no linter checks of the source code: the files of a package
// can be read one after the other, because no two of them use each other, directly or
// by way of others.
//
// It refuses to hold code of the program.
package layout
