package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/davit-containers/davit/bundle/image"
	"github.com/davit-containers/davit/bundle/image/layout"
)

// entries is a tar archive.
func entries(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		content := h.Uname // is not otherwise used
		h.Uname, h.Size, h.Mode = "", int64(len(content)), 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	w.Close()
	return out.Bytes()
}

// file, symlink and hardlink are entries.
func file(name, content string) tar.Header { return tar.Header{Name: name, Uname: content} }
func symlink(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
}
func hardlink(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}
}

// images opens an archive and its images.
func images(t testing.TB, raw []byte, kind Kind) ([]layout.Found, *Archive, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Stream(t.Context(), f, t.TempDir(), kind)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { a.Close() })
	found, err := a.Images(t.Context(), image.Host())
	return found, a, err
}

const layerText = "not really a layer"

// config is a configuration whose layers are all layerText.
func config(layers int) string {
	sum, _ := image.Sum("sha256", []byte(layerText))
	ids := strings.TrimSuffix(strings.Repeat(`"`+sum.String()+`",`, layers), ",")
	return `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[` + ids + `]}}`
}

func manifest(config string, layers ...string) string {
	return fmt.Sprintf(`[{"Config":%q,"RepoTags":["a:1"],"Layers":["%s"]}]`, config, strings.Join(layers, `","`))
}

func TestDockerArchives(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []tar.Header
		good    bool
	}{
		{"plain", []tar.Header{file("c.json", config(1)), file("x/layer.tar", layerText), file(manifestFile, manifest("c.json", "x/layer.tar"))}, true},
		{"names with dots", []tar.Header{file("./c.json", config(1)), file("./x/layer.tar", layerText), file("./manifest.json", manifest("c.json", "x/layer.tar"))}, true},
		{"a symbolic link", []tar.Header{file("c.json", config(2)), file("x/layer.tar", layerText), symlink("y/layer.tar", "../x/layer.tar"), file(manifestFile, manifest("c.json", "x/layer.tar", "y/layer.tar"))}, true},
		{"a hard link", []tar.Header{file("c.json", config(2)), file("x/layer.tar", layerText), hardlink("y/layer.tar", "x/layer.tar"), file(manifestFile, manifest("c.json", "x/layer.tar", "y/layer.tar"))}, true},
		{"links in links", []tar.Header{file("c.json", config(1)), symlink("z", "y"), symlink("y", "x"), file("x", layerText), file(manifestFile, manifest("c.json", "z"))}, true},
		{"links in a circle", []tar.Header{file("c.json", config(1)), symlink("z", "y"), symlink("y", "z"), file(manifestFile, manifest("c.json", "z"))}, false},
		{"a link to the host's file", []tar.Header{symlink("c.json", "/etc/hostname"), file(manifestFile, manifest("c.json", "z"))}, false},
		{"a link above", []tar.Header{symlink("c.json", "../../../../../../etc/hostname"), file(manifestFile, manifest("c.json", "z"))}, false},
		{"a path to the host's file", []tar.Header{file(manifestFile, manifest("/etc/hostname", "z"))}, false},
		{"a path above", []tar.Header{file(manifestFile, manifest("../../../../../../../etc/hostname", "z"))}, false},
		{"no layer", []tar.Header{file("c.json", config(1)), file(manifestFile, manifest("c.json", "x/layer.tar"))}, false},
		{"no diff_id", []tar.Header{file("c.json", config(0)), file("x", layerText), file(manifestFile, manifest("c.json", "x"))}, false},
		{"too many diff_ids", []tar.Header{file("c.json", config(2)), file("x", layerText), file(manifestFile, manifest("c.json", "x"))}, false},
		{"no manifest", []tar.Header{file("c.json", config(1)), file("x", layerText)}, false},
		{"a manifest that is none", []tar.Header{file(manifestFile, "{}")}, false},
		{"a huge manifest", []tar.Header{file(manifestFile, strings.Repeat(" ", image.MaxDocument+1)+"[]")}, false},
		{"a huge configuration", []tar.Header{file("c.json", config(1)+strings.Repeat(" ", image.MaxDocument)), file("x", layerText), file(manifestFile, manifest("c.json", "x"))}, false},
		{"a name that is none", []tar.Header{file("c.json", config(1)), file("x", layerText), file(manifestFile, strings.Replace(manifest("c.json", "x"), "a:1", "../A", 1))}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, _, err := images(t, entries(t, test.headers...), Any)
			if !test.good {
				if !image.IsRejected(err) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want a rejection", err)
				}
				return
			}
			if err != nil || len(found) != 1 || found[0].Names[0].Familiar() != "a:1" {
				t.Fatalf("got %v, %v", found, err)
			}
			for _, d := range found[0].Image.LayerDescriptors() {
				r, err := found[0].Image.OpenBlob(t.Context(), d, 4)
				if err != nil {
					t.Fatal(err)
				}
				if rest, err := io.ReadAll(r); string(rest) != layerText[4:] || err != nil {
					t.Errorf("got %q, %v", rest, err)
				}
				r.Close()
			}
		})
	}
}

// TestWhatIsNoArchive: it is refused, and little memory is used for it.
func TestWhatIsNoArchive(t *testing.T) {
	huge := entries(t, file(manifestFile, "[]"))
	copy(huge[124:136], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00") // 1 TiB
	fixSum(huge[:512])
	pax := entries(t, tar.Header{Name: "a", PAXRecords: map[string]string{"A.b": "c"}})
	copy(pax[124:136], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00")
	fixSum(pax[:512])
	var many bytes.Buffer
	w := tar.NewWriter(&many)
	for n := range maxEntries + 1 {
		w.WriteHeader(&tar.Header{Name: fmt.Sprint(n), Typeflag: tar.TypeDir})
	}
	w.Close()
	for name, raw := range map[string][]byte{
		"nothing": {}, "junk": bytes.Repeat([]byte("junk"), 1000), "a header of 1 TiB": huge, "records of 1 TiB": pax, "too many entries": many.Bytes(),
		"half a gzip": []byte("\x1f\x8b\x08\x00\x00"), "half a zstd": []byte("\x28\xb5\x2f\xfd\x00"), "sparse": sparse(t),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := images(t, raw, Any)
			runtime.ReadMemStats(&after)
			if !image.IsRejected(err) {
				t.Errorf("got %v, want a rejection", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
				t.Errorf("%d MiB were used", used>>20)
			}
		})
	}
}

// fixSum writes a header's checksum.
func fixSum(header []byte) {
	copy(header[148:156], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

// sparse is an archive whose manifest.json is sparse, by its records.
func sparse(t testing.TB) []byte {
	t.Helper()
	records := map[string]string{
		"OUR.sparse.map": "0,2", "OUR.sparse.size": "2", "OUR.sparse.numblocks": "1", "OUR.sparse.name": "manifest.json",
	}
	raw := entries(t, tar.Header{Name: "a", Uname: "[]", PAXRecords: records})
	// archive/tar writes no records of GNU's for sparse files; a vendor's of the same length it does.
	return bytes.ReplaceAll(raw, []byte("OUR.sparse"), []byte("GNU.sparse"))
}

func TestChoosing(t *testing.T) {
	two := strings.TrimSuffix(manifest("c.json", "x"), "]") + "," + strings.Replace(strings.TrimPrefix(manifest("d.json", "x"), "["), "a:1", "docker.io/library/b:2", 1)
	raw := entries(t, file("c.json", config(1)), file("d.json", strings.Replace(config(1), "amd64", "arm64", 1)), file("x", layerText), file(manifestFile, two))
	found, a, err := images(t, raw, Any)
	if err != nil || len(found) != 2 {
		t.Fatalf("got %v, %v", found, err)
	}
	for name, want := range map[string]string{"a:1": "amd64", "docker.io/library/a:1": "amd64", "b:2": "arm64"} {
		if img, err := a.Image(t.Context(), name, image.Host()); err != nil || img.Config().Architecture != want {
			t.Errorf("%s: got %v, %v", name, img, err)
		}
	}
	for _, name := range []string{"", "b:1"} {
		if _, err := a.Image(t.Context(), name, image.Host()); err == nil || !strings.Contains(err.Error(), "a:1, docker.io/library/b:2") {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

// TestSameArchive: two archives of the same images are the same.
func TestSameArchive(t *testing.T) {
	raw := entries(t, file("c.json", config(2)), file("x", layerText), file(manifestFile, manifest("c.json", "x", "x")))
	found, _, err := images(t, raw, Any)
	if err != nil {
		t.Fatal(err)
	}
	var one, two bytes.Buffer
	for _, out := range []*bytes.Buffer{&one, &two} {
		if err := Write(t.Context(), out, append(found, found...), WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) || one.Len() > 20_000 {
		t.Errorf("archives of %d and %d bytes differ", one.Len(), two.Len())
	}
	again, _, err := images(t, one.Bytes(), Kind(image.DockerArchive))
	if err != nil || again[0].Image.ID() != found[0].Image.ID() {
		t.Errorf("read as Docker does: %v, %v", again, err)
	}
}

// TestLargeMembers: a file of more than 8 GiB, whose size an old header cannot say, is
// written so that it is found again with all of it. Its content is a hole here.
func TestLargeMembers(t *testing.T) {
	const size = 9<<30 + 5
	f, err := os.Create(filepath.Join(t.TempDir(), "a.tar"))
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{tar.NewWriter(f)}
	if err := w.header("blobs/large", size); err != nil {
		t.Fatal(err)
	}
	begin, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("end"), begin+size-3); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(begin + (size+511)/512*512 + 1024); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	a, err := index(f)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	member, err := a.Open("blobs/large")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := member.Seek(-3, io.SeekEnd); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(member); string(got) != "end" || err != nil || member.Size() != size {
		t.Errorf("of %d bytes, the last are %q, %v", member.Size(), got, err)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(entries(f, file("c.json", config(1)), symlink("x/layer.tar", "../y"), file("y", layerText), file(manifestFile, manifest("c.json", "x/layer.tar"))))
	f.Add(sparse(f))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		out.Write(raw)
		out.Seek(0, io.SeekStart)
		a, err := Stream(context.Background(), out, t.TempDir(), Any)
		if err != nil {
			return
		}
		defer a.Close()
		found, _ := a.Images(context.Background(), v1.Platform{OS: "linux", Architecture: "amd64"})
		for _, one := range found {
			for _, d := range one.Image.LayerDescriptors() {
				if r, err := one.Image.OpenBlob(context.Background(), d, 0); err == nil {
					io.Copy(io.Discard, r)
					r.Close()
				}
			}
		}
	})
}
