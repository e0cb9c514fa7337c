package plan

import (
	"fmt"
	"strings"
)

// Header is the stage's ops.h: the table of operations in C.
func Header() string {
	var b strings.Builder
	b.WriteString("/* Code generated from plan/op.go by go generate ./libcontainer/stage; DO NOT EDIT. */\n")
	b.WriteString("#define OPERATIONS(X)")
	for _, def := range definitions {
		fmt.Fprintf(&b, " \\\n\tX(%s, %q)", strings.ReplaceAll(def.name, "-", "_"), def.signature)
	}
	b.WriteString("\n")
	return b.String()
}
