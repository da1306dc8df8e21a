//go:build tools

// Package tools pins h2spec and what it is built of, so that every run builds the same program.
package tools

import _ "github.com/summerwind/h2spec"
