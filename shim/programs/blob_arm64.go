package programs

import _ "embed"

// The programs, built by build.sh from src/.
var (
	//go:embed bin/init_arm64
	initProgram []byte
	//go:embed bin/hello_arm64
	helloProgram []byte
)
