package programs

import _ "embed"

// The programs, built from src/ by contrib/static/build.
var (
	//go:embed bin/init_arm64
	initProgram []byte
	//go:embed bin/hello_arm64
	helloProgram []byte
)
