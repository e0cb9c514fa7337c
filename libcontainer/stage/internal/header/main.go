// Header writes the stage's ops.h from the plan's table of operations.
package main

import (
	"log"
	"os"

	"github.com/davit-containers/davit/libcontainer/plan"
)

func main() {
	if err := os.WriteFile(os.Args[1], []byte(plan.Header()), 0o644); err != nil {
		log.Fatal(err)
	}
}
