package memprogram

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// Both forms can be executed, and written to by nobody.
func TestOpen(t *testing.T) {
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(string, []byte) (*os.File, error){"memory": Open, "file": unnamed} {
		t.Run(name, func(t *testing.T) {
			f, err := open("test", program)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			cmd := exec.Command("/proc/self/fd/3")
			cmd.ExtraFiles = []*os.File{f}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			if _, err := unix.Write(int(f.Fd()), []byte("x")); err == nil {
				t.Error("it can be written to")
			}
		})
	}
}
