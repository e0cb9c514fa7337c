package rootless

import _ "embed"

// joinProgram is built from src/ by contrib/static/build.
//
//go:embed bin/join_arm64
var joinProgram []byte
