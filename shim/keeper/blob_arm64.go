package keeper

import _ "embed"

// blob is the program, built from src/ by contrib/static/build.
//
//go:embed bin/keeper_arm64
var blob []byte
