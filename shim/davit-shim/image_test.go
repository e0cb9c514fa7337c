package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	references "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"
)

// made is when the layers of the scripts' images were made.
var made = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// entry is a file of a layer: a link where it has a target.
type entry struct {
	name, text, link string
	mode             int64
}

// layerOf is a layer of files. A name that ends in a slash is a directory.
func layerOf(entries ...entry) (v1.Layer, error) {
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.text)), ModTime: made, Linkname: e.link, Typeflag: tar.TypeReg}
		switch {
		case e.link != "":
			h.Typeflag = tar.TypeSymlink
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(opener(data.Bytes()))
}

// makeImage makes an archive of docker save: image FILE NAME [CONFIG]. The image
// has busybox in a layer, files in a second, and a whiteout in a third; CONFIG is
// its configuration as JSON.
func makeImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: image FILE NAME [CONFIG]")
	}
	img, err := testImage(args[2:])
	ts.Check(err)
	tag, err := references.NewTag(args[1], references.WithDefaultRegistry(""))
	ts.Check(err)
	ts.Check(tarball.WriteToFile(ts.MkAbs(args[0]), tag, img))
}

// testImage is the scripts' image.
func testImage(config []string) (v1.Image, error) {
	program, err := os.ReadFile(busybox())
	if err != nil {
		return nil, err
	}
	first := []entry{{name: "bin/"}, {name: "bin/busybox", text: string(program)}, {name: "tmp/", mode: 0o1777}}
	for _, applet := range strings.Fields("sh cat echo id ls stat touch pwd env true") {
		first = append(first, entry{name: "bin/" + applet, link: "busybox"})
	}
	layers := [][]entry{
		first,
		{{name: "etc/"}, {name: "etc/passwd", text: passwd, mode: 0o644}, {name: "etc/group", text: group, mode: 0o644}, {name: "etc/gone", text: "x", mode: 0o644}},
		{{name: "etc/.wh.gone"}, {name: "etc/new", text: "new\n", mode: 0o640}},
	}
	img := empty.Image
	for i, entries := range layers {
		layer, err := layerOf(entries...)
		if err != nil {
			return nil, err
		}
		img, err = mutate.Append(img, mutate.Addendum{Layer: layer, History: v1.History{
			Created: v1.Time{Time: made.Add(time.Duration(i) * time.Hour)}, CreatedBy: fmt.Sprintf("/bin/sh -c #(nop) ADD step %d\t\x1b[2J", i+1), Comment: "test",
		}})
		if err != nil {
			return nil, err
		}
	}
	return configured(img, config)
}

const (
	passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/home/app:/bin/sh\n"
	group  = "root:x:0:\napp:x:1001:\naudio:x:29:app\n"
)

// configured is an image with a configuration, and a last step that made no layer.
func configured(img v1.Image, config []string) (v1.Image, error) {
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.Architecture, file.OS, file.Created = "amd64", "linux", v1.Time{Time: made.Add(3 * time.Hour)}
	file.Config = v1.Config{Cmd: []string{"/bin/sh"}, Env: []string{"PATH=/bin"}}
	for _, text := range config {
		if err := json.Unmarshal([]byte(text), &file.Config); err != nil {
			return nil, err
		}
	}
	file.History = append(file.History, v1.History{Created: file.Created, CreatedBy: "CMD [\"/bin/sh\"]", EmptyLayer: true})
	return mutate.ConfigFile(img, file)
}

// jsonField wants a value in a file: json FILE PATH VALUE, where PATH is such as
// process.args.0 and VALUE is JSON.
func jsonField(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: json FILE PATH VALUE")
	}
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &value))
	for step := range strings.SplitSeq(args[1], ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(v) {
				ts.Fatalf("%s: no element %s", args[1], step)
			}
			value = v[i]
		default:
			value = nil
		}
	}
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	ts.Check(enc.Encode(value))
	if text := strings.TrimSpace(got.String()); (text == args[2]) == neg {
		ts.Fatalf("%s is %s", args[1], text)
	}
}

// opener opens bytes again and again.
func opener(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}
