package stage

import _ "embed"

// blob is the program, built from src/ by contrib/static/build.
//
//go:embed bin/stage_arm64
var blob []byte
