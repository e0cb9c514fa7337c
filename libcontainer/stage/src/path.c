/* The container's files: everything goes through in_root, by descriptor, so
 * that no symbolic link, however it moves, leads out of the root.
 * CVE-2021-30465, CVE-2024-45310, CVE-2026-41579. */
#include <linux/openat2.h>
#include <sys/sysmacros.h>

#include "stage.h"

int root_fd = -1;
const char *root_path; /* on the host; NULL in a running container */

enum { MAX_RETRIES = 128 };

/* below opens a path as if the directory were the root. Renames that go on
 * meanwhile make the kernel ask for another try. */
static int below(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
	};
	int fd = -1;
	for (int i = 0; i < MAX_RETRIES; i++) {
		fd = do_openat2(dir, path, &how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd;
}

/* in_root opens a path of the container. */
int in_root(const char *path, uint64_t flags, uint64_t resolve) { return below(root_fd, path, flags, resolve); }

/* The container's own proc and sysfs. What is hidden in them is looked up from
 * there: whoever renames a mountpoint meanwhile hides nothing from us.
 * CVE-2019-19921, CVE-2023-27561. */
static struct kept { const char *dest; int fd; } kept[] = { { "/proc", -1 }, { "/sys", -1 } };

/* keep_mount remembers what is mounted at dest; -1 stands for what is neither. */
int keep_mount(const char *dest, int tree)
{
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		if (strcmp(dest, kept[i].dest))
			continue;
		if (kept[i].fd >= 0)
			close(kept[i].fd);
		kept[i].fd = tree < 0 ? -1 : fcntl(tree, F_DUPFD_CLOEXEC, 0);
		return tree < 0 || kept[i].fd >= 0 ? 0 : -1;
	}
	return 0;
}

/* in_kept opens a path with O_PATH, from the mount that is kept for it. */
int in_kept(const char *path)
{
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		size_t size = strlen(kept[i].dest);
		if (kept[i].fd >= 0 && !strncmp(path, kept[i].dest, size) && path[size] == '/')
			return below(kept[i].fd, path + size, O_PATH, 0);
	}
	return in_root(path, O_PATH, 0);
}

/* create makes one missing entry in the directory resolved so far. */
static int create(struct walk *w, const char *name, int file)
{
	int dir = in_root(w->done, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
	if (dir < 0)
		return -1;
	int made = file ? mknodat(dir, name, S_IFREG | 0644, 0) : mkdirat(dir, name, 0755);
	return closing(dir, made && errno != EEXIST ? -1 : 0);
}

/* step_into resolves one name, creating it where it is missing. */
static int step_into(struct walk *w, const char *name, int file)
{
	if (!strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		path_ascend(w);
		return 0;
	}
	if (path_descend(w, name))
		return -1;
	int fd = in_root(w->done, O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
	if (fd < 0 && errno != ENOENT)
		return -1;
	if (fd < 0) {
		path_ascend(w);
		return create(w, name, file) ? -1 : path_descend(w, name);
	}
	struct stat st;
	if (fstat(fd, &st) || !S_ISLNK(st.st_mode))
		return closing(fd, 0);
	path_ascend(w);
	return closing(fd, path_follow(w, fd));
}

/* make opens a path, creating what is missing of it: directories, and at its
 * end a file where one is wanted. A link that comes up where the walk found none
 * is an error. */
static int make(const char *path, int file)
{
	int fd = in_root(path, O_PATH, 0);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	struct walk w = { .done = "" };
	char name[256];
	int more;
	if (strlen(path) >= MAX_PATH)
		return path_too_long();
	strcpy(w.rest, path);
	while ((more = path_next(&w, name)) > 0)
		if (step_into(&w, name, file && !w.rest[strspn(w.rest, "/")]))
			return -1;
	return more < 0 ? -1 : in_root(w.done, O_PATH, RESOLVE_NO_SYMLINKS);
}

int make_dir(const char *path) { return make(path, 0); }
int make_file(const char *path) { return make(path, 1); }

/* make_parent opens the directory of a path and gives the path's last name. */
int make_parent(const char *path, char name[256])
{
	char dir[MAX_PATH];
	size_t size = strlen(path);
	while (size > 1 && path[size - 1] == '/')
		size--;
	if (size >= MAX_PATH)
		return path_too_long();
	memcpy(dir, path, size);
	dir[size] = 0;
	char *slash = strrchr(dir, '/');
	const char *last = slash ? slash + 1 : dir;
	if (strlen(last) > 255)
		return path_too_long();
	if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
		return note(EINVAL, "the path has no last name");
	strcpy(name, last);
	if (slash)
		*slash = 0;
	return make_dir(slash ? dir : "");
}

/* is_null_device: nothing else may stand in for /dev/null.
 * CVE-2025-31133. */
int is_null_device(int fd)
{
	struct stat st;
	return !fstat(fd, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int op_mkdir(const struct step *s)
{
	int fd = make_dir(str(s, 0));
	return fd < 0 ? -1 : close(fd);
}
