/* Mounts by mount(2), for container hosts that refuse the calls which make them
 * detached and move them. What is in hand then lies on a file system of its own
 * over the root, out of the way of every walk, and is moved from there; paths
 * are of descriptors, by the verified proc, so that no name is looked up
 * twice. */
#include <linux/stat.h>
#include <sys/mount.h>

#include "stage.h"

static char place[MAX_PATH]; /* of what is in hand; empty where nothing is */

/* make_place makes the place, over the root and below it. */
static int make_place(int is_dir)
{
	if (strlen(root_path) + sizeof "/hand" > sizeof place)
		return path_too_long();
	if (mount("hand", root_path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700"))
		return -1;
	strcat(strcpy(place, root_path), "/hand");
	if (mount(NULL, root_path, NULL, MS_PRIVATE, NULL))
		return -1;
	return is_dir ? mkdir(place, 0700) : mknod(place, S_IFREG | 0600, 0);
}

/* classic_drop takes the place away, and what was not moved from there. */
static int classic_drop(int result)
{
	int error = errno;
	if (place[0]) {
		*strrchr(place, '/') = 0;
		umount2(place, MNT_DETACH);
		place[0] = 0;
	}
	errno = error;
	return result;
}

/* classic_options turns options into flags and data, which has room for a page. */
unsigned long classic_options(char **options, char data[4096])
{
	static const struct { const char *name; unsigned long flag; } words[] = {
		{ "ro", MS_RDONLY }, { "sync", MS_SYNCHRONOUS }, { "dirsync", MS_DIRSYNC }, { "lazytime", MS_LAZYTIME },
		{ "mand", MS_MANDLOCK }, { "async", 0 }, { "nolazytime", 0 }, { "nomand", 0 },
	};
	unsigned long flags = 0;
	for (data[0] = 0; *options; options++) {
		size_t i = 0, used = strlen(data);
		while (i < sizeof words / sizeof *words && strcmp(*options, words[i].name))
			i++;
		if (i < sizeof words / sizeof *words)
			flags |= words[i].flag;
		else if (used + strlen(*options) + 2 < 4096)
			strcat(strcpy(data + used, used ? "," : ""), *options);
		else
			return ~0UL;
	}
	return flags;
}

static int in_hand(int failed)
{
	int fd = failed ? -1 : open(place, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? classic_drop(-1) : fd;
}

/* no_place: a running container's root is not ours to cover. */
static int no_place(void)
{
	return note(ENOSYS, "open_tree(2) is refused here, and nothing stands in for it");
}

/* classic_fs gives a new file system. */
int classic_fs(const char *type, const char *source, unsigned long flags, const char *data)
{
	if (!root_path)
		return no_place();
	if (make_place(1))
		return classic_drop(-1);
	return in_hand(mount(source, place, type, flags, data));
}

/* classic_clone gives a copy of what is mounted where a descriptor leads to. */
int classic_clone(int from, unsigned flags)
{
	struct stat st;
	if (!root_path)
		return no_place();
	if (fstat(from, &st) || make_place(S_ISDIR(st.st_mode)))
		return classic_drop(-1);
	int to = open(place, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int failed = to < 0 || mount_fds(from, to, NULL, MS_BIND | (flags & AT_RECURSIVE ? MS_REC : 0), NULL);
	return in_hand(closing(to, failed));
}

/* classic_move puts what is in hand in its place. */
int classic_move(int tree, int dest)
{
	return classic_drop(mount_fds(tree, dest, NULL, MS_MOVE, NULL));
}

/* on_top opens what was mounted over a descriptor, found by its path: the same
 * file on another mount. */
int on_top(int below, const char *path)
{
	struct stat a, b;
	struct statx top;
	int fd = in_kept(path);
	if (fd < 0 || fstat(below, &a) || fstat(fd, &b) || sys(statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &top))
		return closing(fd, -1);
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino && top.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return fd;
	return closing(fd, note(EBUSY, "the path changes meanwhile"));
}
