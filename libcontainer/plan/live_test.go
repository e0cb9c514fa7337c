package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// TestGoldenLive compiles every mount of a scenario of testdata/live, and the
// removal of the last, into one golden file.
func TestGoldenLive(t *testing.T) {
	files, _ := filepath.Glob("testdata/live/*.json")
	if len(files) < 3 {
		t.Fatalf("found %d scenarios", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			s := load(t, file)
			var live struct{ Add []specs.Mount }
			data, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(data, &live)
			}
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for i := range live.Add {
				got.WriteString(described(CompileMount(&live.Add[i], &s.Config, s.Facts, s.Options)))
			}
			got.WriteString(described(CompileUnmount(live.Add[len(live.Add)-1].Destination, &s.Config, s.Facts, s.Options)))
			compare(t, name+".plan", got.String())
		})
	}
}

func described(p *Plan, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n\n"
	}
	return p.String() + "\n"
}
