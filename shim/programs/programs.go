package programs

//go:generate ../../contrib/static/build init amd64 src/init.c
//go:generate ../../contrib/static/build init arm64 src/init.c
//go:generate ../../contrib/static/build hello amd64 src/hello.c
//go:generate ../../contrib/static/build hello arm64 src/hello.c

// Init is the init, which is run as init -- PROGRAM [ARGUMENT...].
func Init() []byte { return initProgram }

// Hello is the program of the image hello-world.
func Hello() []byte { return helloProgram }
