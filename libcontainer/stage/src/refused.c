/* Doing without system calls that a container host refuses to what runs in
 * its containers, though the kernel has them: the plan's first step names
 * them. What stands in is slower or can do less, and fails where it would do
 * other than what was asked. */
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/statfs.h>

#include "stage.h"

static struct refusal { const char *name; int refused; } refusals[] = { { "openat2", 0 }, { "mount_setattr", 0 }, { "open_tree", 0 } };
enum { OPENAT2, MOUNT_SETATTR, OPEN_TREE };

int op_without(const struct step *s)
{
	for (char **name = list(s, 0); *name; name++)
		for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
			if (!strcmp(*name, refusals[i].name))
				refusals[i].refused = 1;
	if (refusals[OPEN_TREE].refused) /* ".." would lead the kernel onto what is in hand, over the root */
		refusals[OPENAT2].refused = 1;
	return 0;
}

/* What refuses open_tree(2) refuses all that came with it, such as fsopen(2). */
int refuses_mounts(void) { return refusals[OPEN_TREE].refused; }

int refuses_attributes(void) { return refusals[MOUNT_SETATTR].refused; }

/* close_range by fcntl: the descriptors that a plan's files need are few. */
int do_close_range(unsigned first, unsigned flags)
{
	if (!sys(close_range, first, ~0U, flags))
		return 0;
	if (errno != ENOSYS && errno != EPERM)
		return -1;
	for (int fd = first; fd < 4096; fd++)
		if (flags & CLOSE_RANGE_CLOEXEC)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
		else
			close(fd);
	return 0;
}

/* open_plain opens a path without links, name by name: whoever puts a link in
 * the way meanwhile makes it fail. */
static int open_plain(int base, const char *path, uint64_t flags)
{
	char name[256];
	int dir = openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (path += strspn(path, "/"); dir >= 0 && *path; path += strspn(path, "/")) {
		size_t size = strcspn(path, "/");
		if (size > 255)
			return closing(dir, path_too_long());
		memcpy(name, path, size);
		name[size] = 0;
		path += size;
		if (!path[strspn(path, "/")])
			return closing(dir, openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC));
		dir = closing(dir, openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	}
	return closing(dir, dir < 0 ? -1 : openat(dir, ".", flags | O_CLOEXEC));
}

static int is_link(int fd)
{
	struct stat st;
	return !fstat(fd, &st) && S_ISLNK(st.st_mode);
}

/* is_magic tells of a link of proc that leads to where its text does not say.
 * The others in proc are relative. */
static int is_magic(int fd)
{
	struct statfs fs;
	char text[2];
	if (fstatfs(fd, &fs) || fs.f_type != PROC_SUPER_MAGIC || readlinkat(fd, "", text, sizeof text) < 1)
		return 0;
	return text[0] == '/' || !((text[0] >= '0' && text[0] <= '9') || text[0] == 's');
}

/* step resolves one name; last tells that nothing follows it. */
static int step(struct walk *w, int base, const char *name, int last, const struct open_how *how)
{
	if (!strcmp(name, ".."))
		return path_ascend(w);
	if (!strcmp(name, "."))
		return 0;
	if (path_descend(w, name))
		return -1;
	int fd = open_plain(base, w->done, O_PATH);
	if (fd < 0 || !is_link(fd) || (last && how->flags & O_NOFOLLOW))
		return closing(fd, fd < 0 ? -1 : 0);
	if (how->resolve & RESOLVE_NO_SYMLINKS || is_magic(fd)) {
		errno = ELOOP;
		return closing(fd, -1);
	}
	path_ascend(w);
	return closing(fd, path_follow(w, fd));
}

/* crosses tells whether two descriptors are on different mounts. */
static int crosses(int a, int b)
{
	struct statx x, y;
	if (sys(statx, a, "", AT_EMPTY_PATH, STATX_MNT_ID, &x) || sys(statx, b, "", AT_EMPTY_PATH, STATX_MNT_ID, &y))
		return 1;
	return x.stx_mnt_id != y.stx_mnt_id;
}

/* check refuses what the last name became after it was resolved. */
static int check(int base, int fd, const struct open_how *how)
{
	if (fd < 0)
		return fd;
	if (!(how->flags & O_NOFOLLOW) && is_link(fd))
		errno = ELOOP;
	else if (how->resolve & RESOLVE_NO_XDEV && crosses(base, fd))
		errno = EXDEV;
	else
		return fd;
	return closing(fd, -1);
}

/* do_openat2 opens below a directory as if that were the root. By hand, no
 * ".." and no link is ever left to the kernel. */
int do_openat2(int base, const char *path, struct open_how *how)
{
	if (!refusals[OPENAT2].refused)
		return sys(openat2, base, *path ? path : "/", how, sizeof *how);
	struct walk w = { .done = "" };
	char name[256];
	int more;
	if (strlen(path) >= sizeof w.rest)
		return path_too_long();
	strcpy(w.rest, path);
	while ((more = path_next(&w, name)) > 0)
		if (step(&w, base, name, !w.rest[strspn(w.rest, "/")], how))
			return -1;
	return more < 0 ? -1 : check(base, open_plain(base, w.done, how->flags), how);
}
