package programs

//go:generate ./build.sh amd64
//go:generate ./build.sh arm64

// Init is the init, which is run as init -- PROGRAM [ARGUMENT...].
func Init() []byte { return initProgram }

// Hello is the program of the image hello-world.
func Hello() []byte { return helloProgram }
