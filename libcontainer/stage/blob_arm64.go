package stage

import _ "embed"

// blob is the program, built by build.sh from src/.
//
//go:embed bin/stage_arm64
var blob []byte
