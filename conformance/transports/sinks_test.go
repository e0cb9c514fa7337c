package transports

import (
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/davit-containers/davit/conformance/registry"
)

// sink is a place that an image is written to.
type sink struct {
	name string
	// put writes the image, which is called moved, to the place, and tells skopeo's name
	// for the place, and has another store take the image from there.
	put func(l *lab, dir string, shim, other func(...string) string) (place string)
}

var sinks = []sink{
	{"a Docker archive", func(_ *lab, dir string, shim, other func(...string) string) string {
		shim("save", "-o", dir+"/saved", "moved")
		other("load", "-i", dir+"/saved")
		return "docker-archive:" + dir + "/saved:moved:latest"
	}},
	{"an OCI archive", func(_ *lab, dir string, shim, other func(...string) string) string {
		shim("save", "--format", "oci-archive", "-o", dir+"/saved", "moved")
		other("load", "-i", dir+"/saved")
		return "oci-archive:" + dir + "/saved:docker.io/library/moved:latest"
	}},
	{"a layout", func(_ *lab, dir string, shim, other func(...string) string) string {
		shim("save", "--format", "oci-dir", "-o", dir+"/saved", "moved")
		other("pull", "oci:"+dir+"/saved:docker.io/library/moved:latest")
		return "oci:" + dir + "/saved:docker.io/library/moved:latest"
	}},
	{"a registry", func(l *lab, dir string, shim, other func(...string) string) string {
		d := registry.New(l, dir)
		shim("push", "moved", d.Host+"/moved:1")
		other("pull", d.Host+"/moved:1", "moved")
		return "docker://" + d.Host + "/moved:1"
	}},
}

// to writes the image to a place: what is written is what was there; skopeo and umoci
// take it.
func (l *lab) to(dir, how string, s sink) {
	l.must(errors.Join(os.Mkdir(dir+"/a", 0o700), os.Mkdir(dir+"/b", 0o700)))
	shim, other := l.shim(dir+"/a"), l.shim(dir+"/b")
	shim("pull", "--unpack=false", l.name(how), "moved")
	place := s.put(l, dir, shim, other)
	if got, want := l.facts(other), l.facts(shim); got != want {
		l.Errorf("the image is\n%s, and was\n%s", got, want)
	}
	l.check(dir+"/b", "moved", l.want)
	l.elsewhere(dir, place, how, shim("inspect", "--format", `{{join .RootFS.Layers " "}}`, "moved"))
}

// facts are what an image is, but for its layers' compression.
func (l *lab) facts(shim func(...string) string) string {
	return shim("inspect", "--format", "{{.Id}} {{json .Config}} {{json .RootFS}} {{json .History}}", "moved")
}

// elsewhere has skopeo verify and copy what was written, and umoci unpack it where it
// knows the compression.
func (l *lab) elsewhere(dir, place, how, layers string) {
	l.skopeo(place, "oci:"+dir+"/copied:x")
	var config struct {
		RootFS struct {
			Layers []string `json:"diff_ids"`
		}
	}
	l.must(json.Unmarshal([]byte(l.run("skopeo", "inspect", "--config", "oci:"+dir+"/copied:x")), &config))
	if got := strings.Join(config.RootFS.Layers, " "); got != layers {
		l.Errorf("skopeo copied the layers %s, want %s", got, layers)
	}
	if how != "gzip" {
		return
	}
	l.run("umoci", "unpack", "--image", dir+"/copied:x", dir+"/umoci")
	l.equal("what umoci unpacks", dir+"/umoci/rootfs", l.want)
}
