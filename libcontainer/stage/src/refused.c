/* Doing without system calls that a container host refuses to what runs in
 * its containers, though the kernel has them: the plan's first step names
 * them. What stands in is slower or can do less, and fails where it would do
 * other than what was asked. */
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

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

static unsigned long atime_flag(unsigned long now, const struct mount_attr *attr)
{
	if (attr->attr_clr & MOUNT_ATTR__ATIME)
		return attr->attr_set & MOUNT_ATTR_NOATIME ? MS_NOATIME : attr->attr_set & MOUNT_ATTR_STRICTATIME ? MS_STRICTATIME : MS_RELATIME;
	return now & ST_NOATIME ? MS_NOATIME : now & ST_RELATIME ? MS_RELATIME : MS_STRICTATIME;
}

/* flags_of is what a mount with the flags now is to have, in mount(2)'s words. */
static unsigned long flags_of(unsigned long now, const struct mount_attr *attr)
{
	static const struct { unsigned long now, attr, flag; } words[] = {
		{ ST_RDONLY, MOUNT_ATTR_RDONLY, MS_RDONLY }, { ST_NOSUID, MOUNT_ATTR_NOSUID, MS_NOSUID },
		{ ST_NODEV, MOUNT_ATTR_NODEV, MS_NODEV }, { ST_NOEXEC, MOUNT_ATTR_NOEXEC, MS_NOEXEC },
		{ ST_NODIRATIME, MOUNT_ATTR_NODIRATIME, MS_NODIRATIME }, { 8192, MOUNT_ATTR_NOSYMFOLLOW, 256 },
	};
	unsigned long flags = atime_flag(now, attr);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (attr->attr_set & words[i].attr || (now & words[i].now && !(attr->attr_clr & words[i].attr)))
			flags |= words[i].flag;
	return flags;
}

/* mount_at calls mount(2) for a descriptor, through the verified proc. */
static int mount_at(int fd, unsigned long flags) { return mount_fds(-1, fd, NULL, flags, NULL); }

/* flags_now are those that a mount has. */
unsigned long flags_now(int fd)
{
	struct mount_attr same = { 0 };
	struct statfs fs;
	return fstatfs(fd, &fs) ? 0 : flags_of(fs.f_flags, &same);
}

static int change(int fd, const struct mount_attr *attr, int recursive)
{
	struct statfs fs;
	if (attr->attr_set & MOUNT_ATTR_IDMAP || (recursive && (attr->attr_set | attr->attr_clr)))
		return note(ENOSYS, "mount_setattr(2) is refused here, and nothing stands in for it");
	if (attr->attr_set | attr->attr_clr) {
		if (fstatfs(fd, &fs) || mount_at(fd, MS_REMOUNT | MS_BIND | flags_of(fs.f_flags, attr)))
			return -1;
	}
	return attr->propagation ? mount_at(fd, attr->propagation | (recursive ? MS_REC : 0)) : 0;
}

int do_mount_setattr(int fd, struct mount_attr *attr, int recursive)
{
	if (!refusals[MOUNT_SETATTR].refused)
		return sys(mount_setattr, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), attr, sizeof *attr);
	return change(fd, attr, recursive);
}

/* What refuses open_tree(2) refuses all that came with it, such as fsopen(2). */
int refuses_mounts(void) { return refusals[OPEN_TREE].refused; }

int refuses_attributes(void) { return refusals[MOUNT_SETATTR].refused; }

/* Changes that wait until the mount in hand is attached: mount(2) changes no
 * other. */
static struct { struct mount_attr attr; uint64_t reset; int recursive; } waiting[8];
static size_t waits;

int attributes_later(const struct mount_attr *attr, uint64_t reset, int recursive)
{
	if (waits == sizeof waiting / sizeof *waiting)
		return note(ENOSPC, "too many changes wait for the mount");
	waiting[waits].attr = *attr;
	waiting[waits].reset = reset;
	waiting[waits++].recursive = recursive;
	return 0;
}

/* attributes_settled makes them. What is reset without being named stays where
 * it is locked, as in op_set_attributes. */
int attributes_settled(int fd)
{
	for (size_t i = 0; i < waits; i++) {
		struct mount_attr attr = waiting[i].attr;
		attr.attr_clr |= waiting[i].reset;
		if (!change(fd, &attr, waiting[i].recursive))
			continue;
		attr.attr_clr = waiting[i].attr.attr_clr | (waiting[i].reset & MOUNT_ATTR_NOSYMFOLLOW);
		if (errno != EPERM || !waiting[i].reset || change(fd, &attr, waiting[i].recursive))
			return -1;
	}
	waits = 0;
	return 0;
}
