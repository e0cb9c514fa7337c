// Package users finds out who a container's process runs as: a user as an image
// or a person names it ("name", "uid", "uid:gid", "name:group") becomes numbers,
// with the groups that the container's own /etc/passwd and /etc/group say.
//
// These files are foreign data. They are opened below a descriptor of the
// container's root, links in them lead nowhere else, only regular files of at
// most 10 MiB are read, and a line that is not understood matches nobody.
//
// It is not for users of the host, and asks no name service.
package users
