package change

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
)

func TestApply(t *testing.T) {
	for _, tt := range []struct{ instruction, want string }{
		{`CMD ["a","b c"]`, `{"Cmd":["a","b c"]}`},
		{`cmd echo  "x" | cat`, `{"Cmd":["/bin/sh","-c","echo  \"x\" | cat"]}`},
		{`CMD`, `{}`},
		{`ENTRYPOINT ["/init"]`, `{"Entrypoint":["/init"]}`},
		{`ENV A=1 B="two words" C=three\ words D='x"y'`, `{"Env":["A=1","B=two words","C=three words","D=x\"y"]}`},
		{`ENV A one two`, `{"Env":["A=one two"]}`},
		{`EXPOSE 80 53/udp 8000-8010`, `{"ExposedPorts":{"53/udp":{},"80/tcp":{},"8000-8010/tcp":{}}}`},
		{`LABEL "a b"=c d=e`, `{"Labels":{"a b":"c","d":"e"}}`},
		{`ONBUILD RUN x`, `{"OnBuild":["RUN x"]}`},
		{`SHELL ["/bin/ash","-c"]`, `{"Shell":["/bin/ash","-c"]}`},
		{`STOPSIGNAL SIGQUIT`, `{"StopSignal":"SIGQUIT"}`},
		{`USER app:app`, `{"User":"app:app"}`},
		{`VOLUME /a /b`, `{"Volumes":{"/a":{},"/b":{}}}`},
		{`VOLUME ["/a b"]`, `{"Volumes":{"/a b":{}}}`},
		{`WORKDIR /a/../b`, `{"WorkingDir":"/b"}`},
		{`HEALTHCHECK --start-period=1m --start-interval=2s CMD x`, `{"Healthcheck":{"Test":["CMD-SHELL","x"],"StartPeriod":60000000000,"StartInterval":2000000000}}`},
		{"WORKDIR\tx", `{"WorkingDir":"/x"}`},
	} {
		t.Run(tt.instruction, func(t *testing.T) {
			var c image.Config
			if err := Apply(&c, tt.instruction); err != nil {
				t.Fatal(err)
			}
			if got, _ := json.Marshal(c.Defaults()); string(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestApplyAgain: what is there is replaced in its place, or added to.
func TestApplyAgain(t *testing.T) {
	c := image.Config{StartInterval: time.Second}
	c.Config = v1.Config{Env: []string{"PATH=/bin", "A=1"}, WorkingDir: "/srv", Labels: map[string]string{"a": "b"}, Shell: []string{"/bin/ash", "-c"}}
	for _, i := range []string{"ENV PATH=/sbin", "WORKDIR app", "LABEL c=d", "CMD x", "HEALTHCHECK --interval=1m CMD y"} {
		if err := Apply(&c, i); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := json.Marshal(c.Defaults())
	if want := `{"Cmd":["/bin/ash","-c","x"],"Env":["PATH=/sbin","A=1"],"Labels":{"a":"b","c":"d"},"WorkingDir":"/srv/app","Shell":["/bin/ash","-c"],"Healthcheck":{"Test":["CMD-SHELL","y"],"Interval":60000000000}}`; string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestRefused(t *testing.T) {
	for instruction, want := range map[string]string{
		"RUN x": "none of", "FROM x": "none of", "NONE x": "none of", "": "no instructions", "USER": "exactly one argument", "ENV A": "two arguments",
		"ENV A=1 =2": "blank", `LABEL a="b`: "matching double-quote", "EXPOSE http": "no port", "EXPOSE /tcp": "no port", "SHELL ash": "JSON form",
		"ENV A=${B": "substitution", "ENV A=1\nENV B=2": "one instruction",
	} {
		if err := Apply(new(image.Config), instruction); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", instruction, err, want)
		}
	}
}

func FuzzApply(f *testing.F) {
	for _, seed := range []string{`ENV A="b\"c" D`, "LABEL \t", "VOLUME []", "EXPOSE 1-2/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var c image.Config
		_ = Apply(&c, text)
		for _, e := range c.Config.Env {
			if !strings.Contains(e, "=") {
				t.Errorf("variable %q", e)
			}
		}
	})
}
