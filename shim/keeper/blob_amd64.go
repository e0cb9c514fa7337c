package keeper

import _ "embed"

// blob is the program, built by build.sh from src/.
//
//go:embed bin/keeper_amd64
var blob []byte
