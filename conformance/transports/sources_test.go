package transports

// source is a place that an image comes from.
type source struct {
	name string
	// take brings the image, which is in a layout, to the place, and from there into a
	// store.
	take func(l *lab, dir, from, how string)
}

var sources = []source{
	{"a layout", func(l *lab, dir, from, _ string) {
		l.shim(dir)("pull", from, "moved")
	}},
	{"an OCI archive", func(l *lab, dir, from, _ string) {
		l.skopeo(from, "oci-archive:"+dir+"/oci.tar:x")
		l.shim(dir)("pull", "oci-archive:"+dir+"/oci.tar", "moved")
	}},
	{"a compressed Docker archive", func(l *lab, dir, _, how string) {
		l.docker(dir)
		l.run("sh", "-c", how+` -1 <"$1" >"$1.packed"`, "sh", dir+"/docker.tar")
		l.shim(dir)("load", "-i", dir+"/docker.tar.packed")
	}},
	{"a legacy Docker archive", takeLegacy},
	{"a registry that is killed halfway", takeFromRegistry},
}

// from brings the image from a place: it is the same wherever it comes from.
func (l *lab) from(dir, how string, s source) {
	s.take(l, dir, l.name(how), how)
	l.check(dir, "moved", l.want)
}

// name is the image in its layout, as skopeo and davit-shim call it.
func (l *lab) name(how string) string { return "oci:" + l.layout + ":" + *image + "-" + how }

// docker writes the image as docker save does. Layers in it cannot be of zstd.
func (l *lab) docker(dir string) {
	l.skopeo(l.name("gzip"), "docker-archive:"+dir+"/docker.tar:moved:latest")
}
