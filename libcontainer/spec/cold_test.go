package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// coldEnv makes the test binary decode one document once, as the first thing
// that it does, and print how many nanoseconds that took.
const coldEnv = "SPEC_COLD_DECODER"

func TestMain(m *testing.M) {
	if name := os.Getenv(coldEnv); name != "" {
		fmt.Print(coldDecode(name).Nanoseconds())
		return
	}
	os.Exit(m.Run())
}

func coldDecode(name string) time.Duration {
	data, err := os.ReadFile("testdata/runc-spec.json")
	start := time.Now()
	switch name {
	case "generated":
		_, err = Decode(data)
	case "generated-and-validated":
		var s *specs.Spec
		if s, err = Decode(data); err == nil {
			err = Validate(s)
		}
	default:
		err = json.Unmarshal(data, new(specs.Spec))
	}
	took := time.Since(start)
	if err != nil {
		panic(err)
	}
	return took
}

// BenchmarkFirstUse measures the first decoding in a process, which is what a
// start pays: medians of new processes, as cold-µs.
func BenchmarkFirstUse(b *testing.B) {
	for _, name := range []string{"generated", "generated-and-validated", "encoding-json"} {
		b.Run(name, func(b *testing.B) {
			var times []float64
			for b.Loop() {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), coldEnv+"="+name)
				out, err := cmd.Output()
				n, numErr := strconv.Atoi(string(out))
				if err != nil || numErr != nil {
					b.Fatal(err, numErr)
				}
				times = append(times, float64(n)/1000)
			}
			slices.Sort(times)
			b.ReportMetric(times[len(times)/2], "cold-µs")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	data, err := os.ReadFile("testdata/runc-spec.json")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if err := json.Unmarshal(data, new(specs.Spec)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
