package options

import (
	"runtime"
	"testing"
)

func TestHost(t *testing.T) {
	f, err := Host()
	if err != nil {
		t.Fatal(err)
	}
	if f.Kernel[0] < 5 || f.LastCapability < 40 || f.CPUs < runtime.NumCPU() || f.Arch != runtime.GOARCH {
		t.Errorf("got %+v", f)
	}
}
