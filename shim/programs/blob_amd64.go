package programs

import _ "embed"

// The programs, built from src/ by contrib/static/build.
var (
	//go:embed bin/init_amd64
	initProgram []byte
	//go:embed bin/hello_amd64
	helloProgram []byte
)
