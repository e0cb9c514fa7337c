package dockerfile

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
)

var update = flag.Bool("update", false, "write the golden files anew")

// options are those of the golden files: what is asked for stands in comments at
// the beginning of the Dockerfile.
func options(text string) Options {
	o := Options{
		Args: map[string]string{}, Labels: map[string]string{}, Images: images,
		Platform: v1.Platform{OS: "linux", Architecture: "amd64"}, Host: v1.Platform{OS: "linux", Architecture: "amd64"},
	}
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "#")), " ")
		name, value, _ := strings.Cut(rest, "=")
		switch {
		case !strings.HasPrefix(line, "#"):
			return o
		case word == "arg":
			o.Args[name] = value
		case word == "label":
			o.Labels[name] = value
		case word == "target":
			o.Target = rest
		case word == "platform":
			o.Platform = v1.Platform{OS: "linux", Architecture: rest, Variant: "v8"}
		}
	}
	return o
}

// images are the base images of the golden files.
func images(name, platform string) (*image.Config, error) {
	if name == "none" {
		return nil, errors.New("no such image")
	}
	c := &image.Config{ConfigFile: v1.ConfigFile{OS: "linux", Architecture: strings.TrimPrefix(platform, "linux/"), Config: v1.Config{
		Env: []string{"PATH=/bin", "FROM_BASE=" + name}, Cmd: []string{"sh"}, WorkingDir: "/base",
	}}}
	if name == "triggers" {
		c.Config.OnBuild = []string{"ARG WHAT=world", "RUN echo $WHAT", "COPY . /app/"}
	}
	return c, nil
}

func TestPlans(t *testing.T) {
	files, err := filepath.Glob("testdata/*.Dockerfile")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := compiled(t, string(text))
			golden := strings.TrimSuffix(file, ".Dockerfile") + ".plan"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, _ := os.ReadFile(golden)
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func compiled(t *testing.T, text string) string {
	t.Helper()
	plan, err := compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return plan.print()
}

func compile(text string) (*Plan, error) {
	f, err := Read(strings.NewReader(text), options(text))
	if err != nil {
		return nil, err
	}
	return f.Compile()
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "no instructions",
		"ARG A=1":                   "needs a FROM",
		"RUN x":                     "line 1: no build stage",
		"FROM a\nNONSENSE x":        "line 2: unknown instruction: NONSENSE",
		"ARG A\nFROM $A":            "is empty",
		"FROM none":                 "line 1: no such image",
		"#target nowhere\nFROM a":   `target "nowhere"`,
		"FROM a\nCOPY --from=1 x y": "no such stage",
		"FROM a\nCOPY --from=0 x y": "stages before it",
		"FROM a AS x\nCOPY --from=y a b\nFROM a AS y\nFROM x": "stages before it",
		"FROM a\nCOPY a b c":                                                       "several sources",
		"FROM a\nCOPY http://h/x y":                                                "ADD fetches",
		"FROM a\nADD http://h/x y":                                                 "--checksum",
		"FROM a\nADD --checksum=md5:00 http://h/x y":                               "sha256:DIGEST",
		"FROM a\nADD git@h:x y":                                                    "http and https alone",
		"FROM a\nADD https://h/x.git y":                                            "http and https alone",
		"FROM a\nCOPY --chmod=99 a b":                                              "octal",
		"FROM a\nSTOPSIGNAL SIGNOTHING":                                            "no such signal",
		"FROM a\nEXPOSE http":                                                      "no port",
		"FROM a\nRUN --security=insecure x":                                        "no more rights",
		"FROM a\nRUN --mount=type=ssh x":                                           "no agent",
		"FROM a\nRUN --mount=type=tmpfs x":                                         "target below /",
		"FROM a\nRUN --mount=type=cache,target=/../ x":                             "target below /",
		"FROM a\nRUN --mount=type=tmpfs,target=/a --mount=type=cache,target=/a/ x": "two mounts",
		"FROM a\nRUN --network=moon x":                                             "network",
		"FROM --platform=//// a":                                                   "platform",
		"FROM a\nONBUILD FROM b":                                                   "FROM isn't allowed",
	} {
		if _, err := compile(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// TestTooLong: a Dockerfile that is no Dockerfile is not read for ever.
func TestTooLong(t *testing.T) {
	_, err := Read(endless{}, Options{})
	if err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '\n'
	}
	return len(p), nil
}

func FuzzCompile(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.Dockerfile")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := compile(text)
		if err != nil {
			return
		}
		for _, s := range plan.Stages {
			for _, step := range s.Steps {
				if step.Copy != nil && !strings.HasPrefix(step.Copy.Dest, "/") || step.Run != nil && !strings.HasPrefix(step.Run.Dir, "/") {
					t.Errorf("%s: a place that is not absolute", step.Text)
				}
			}
		}
	})
}
