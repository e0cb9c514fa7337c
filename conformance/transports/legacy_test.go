package transports

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/davit-containers/davit/conformance/treetest"
)

// saved is an image in the manifest.json of docker save.
type saved struct {
	Config           string
	RepoTags, Layers []string
}

// takeLegacy loads an archive as Docker before 25 wrote it, compressed as a whole: each
// layer in a directory, and where a second image has the lowest layer, a link to it.
// That image is compared with what tar unpacks.
func takeLegacy(l *lab, dir, _, how string) {
	l.docker(dir)
	tree := filepath.Join(dir, "legacy")
	l.must(os.Mkdir(tree, 0o755))
	l.run("tar", "-xf", dir+"/docker.tar", "-C", tree)
	l.must(os.Remove(dir + "/docker.tar"))
	lowest := l.rearrange(tree)
	l.must(os.Mkdir(dir+"/tar", 0o755))
	l.run("tar", "-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", dir+"/tar", "-f", lowest)
	l.run("sh", "-c", `tar -c -C "$1" . | `+how+` -1 >"$2"`, "sh", tree, dir+"/legacy.tar")
	l.must(os.RemoveAll(tree))
	l.shim(dir)("load", "-i", dir+"/legacy.tar")
	l.shim(dir)("unpack", "lowest", dir+"/lowest")
	l.equal("the image of the linked layer", dir+"/lowest", l.timed(treetest.Read(l, dir+"/tar")))
	l.must(errors.Join(os.RemoveAll(dir+"/tar"), os.RemoveAll(dir+"/lowest"), os.Remove(dir+"/legacy.tar")))
}

// rearrange makes the files of an archive of skopeo's into those of an old Docker's,
// and gives the lowest layer.
func (l *lab) rearrange(tree string) string {
	var items []saved
	l.read(tree+"/manifest.json", &items)
	layers := items[0].Layers
	for i, layer := range layers {
		id := filepath.Base(layer[:len(layer)-len(".tar")])
		l.must(os.MkdirAll(tree+"/"+id, 0o755))
		l.must(errors.Join(os.WriteFile(tree+"/"+id+"/VERSION", []byte("1.0"), 0o644), os.WriteFile(tree+"/"+id+"/json", []byte("{}"), 0o644)))
		path, err := filepath.EvalSymlinks(tree + "/" + layer)
		l.must(err)
		layers[i] = id + "/layer.tar"
		l.must(os.Rename(path, tree+"/"+layers[i]))
	}
	l.must(errors.Join(os.Mkdir(tree+"/lowest", 0o755), os.Symlink("../"+layers[0], tree+"/lowest/layer.tar")))
	var config map[string]any
	l.read(tree+"/"+items[0].Config, &config)
	rootfs := config["rootfs"].(map[string]any)
	rootfs["diff_ids"] = rootfs["diff_ids"].([]any)[:1]
	delete(config, "history")
	l.write(tree+"/lowest.json", config)
	l.write(tree+"/manifest.json", append(items, saved{"lowest.json", []string{"lowest:latest"}, []string{"lowest/layer.tar"}}))
	return tree + "/" + layers[0]
}

func (l *lab) read(path string, v any) {
	l.Helper()
	data, err := os.ReadFile(path)
	l.must(err)
	l.must(json.Unmarshal(data, v))
}

func (l *lab) write(path string, v any) {
	l.Helper()
	data, err := json.Marshal(v)
	l.must(err)
	l.must(os.WriteFile(path, data, 0o644))
}
