package hostile

import (
	"os"
	"testing"

	"github.com/davit-containers/davit/conformance/isolate"
)

// TestMain runs the tests where no network of the machine is: builds have one.
func TestMain(m *testing.M) { os.Exit(isolate.Run(m.Run)) }
