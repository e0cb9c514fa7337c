/* The container's /dev: nodes, links, the terminal and the standard streams. */
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "stage.h"

/* open_node opens what is to be the device of the step, and nothing else. */
static int open_node(int dir, const char *name, const struct step *s)
{
	mode_t mode = num(s, 1);
	struct stat st;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return closing(fd, -1);
	if ((st.st_mode ^ mode) & S_IFMT || (!S_ISFIFO(mode) && st.st_rdev != makedev(num(s, 2), num(s, 3)))) {
		close(fd);
		return note(EEXIST, "a file is there that is not this device");
	}
	return fd;
}

/* new_node makes the node, and gives an owner to what it made. */
static int new_node(int dir, const char *name, const struct step *s)
{
	mode_t old = umask(0);
	int failed = mknodat(dir, name, num(s, 1), makedev(num(s, 2), num(s, 3)));
	umask(old);
	int fd = failed ? -1 : open_node(dir, name, s);
	return fd < 0 ? -1 : closing(fd, fchownat(fd, "", num(s, 4), num(s, 5), AT_EMPTY_PATH));
}

/* bind mounts a file over another. */
static int bind(int from, int to)
{
	if (refuses_mounts())
		return mount_fds(from, to, NULL, MS_BIND, NULL);
	int tree = sys(open_tree, from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0)
		return -1;
	return closing(tree, sys(move_mount, tree, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

/* bind_node stands in where making nodes is not allowed. */
static int bind_node(int dir, const char *name, const char *path)
{
	int node = open(path, O_PATH | O_CLOEXEC);
	int fd = openat(dir, name, O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
	if (node < 0 || fd < 0 || bind(node, fd))
		return -1;
	return close(node) || close(fd) ? -1 : 0;
}

int op_device(const struct step *s)
{
	char name[256];
	int dir = make_parent(str(s, 0), name);
	if (dir < 0)
		return -1;
	int failed = new_node(dir, name, s);
	if (failed && errno == EPERM)
		failed = bind_node(dir, name, str(s, 0));
	else if (failed && errno == EEXIST && (failed = open_node(dir, name, s)) >= 0)
		failed = close(failed);
	return closing(dir, failed);
}

int op_link(const struct step *s)
{
	char name[256];
	int dir = make_parent(str(s, 1), name);
	if (dir < 0)
		return -1;
	if (num(s, 2) && unlinkat(dir, name, 0) && errno != ENOENT)
		return -1;
	int failed = symlinkat(str(s, 0), dir, name);
	if (failed && errno == EEXIST && !num(s, 2))
		failed = 0;
	return closing(dir, failed);
}

/* Standard streams that are the host's null device become the container's. */
int op_reopen_null(const struct step *s)
{
	(void)s;
	int null = -1;
	for (int fd = 0; fd < 3; fd++) {
		if (!is_null_device(fd))
			continue;
		if (null < 0 && (null = in_root("/dev/null", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0)) < 0)
			return -1;
		if (!is_null_device(null))
			return note(EINVAL, "container's /dev/null is invalid: it is not the null device");
		if (dup2(null, fd) < 0)
			return -1;
	}
	return null < 0 ? 0 : close(null);
}

/* The streams come from outside; the user is to own them. What cannot be
 * given away, such as a file on a read-only file system, stays as it is. */
int op_own_stdio(const struct step *s)
{
	uid_t uid = num(s, 0);
	struct stat st;
	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &st) || st.st_uid == uid || is_null_device(fd))
			continue;
		if (fchown(fd, uid, -1) && errno != EINVAL && errno != EPERM && errno != EROFS)
			return -1;
	}
	return 0;
}

/* open_terminal gives a master of the container's own devpts, and its peer
 * by descriptor, never by name. CVE-2025-52565. */
static int open_terminal(int *peer)
{
	struct statfs fs;
	struct stat st;
	int unlock = 0;
	int master = in_root("/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0);
	if (master < 0)
		return note(errno, "opening /dev/pts/ptmx");
	if (fstatfs(master, &fs) || fs.f_type != DEVPTS_SUPER_MAGIC || fstat(master, &st) || st.st_rdev != makedev(5, 2))
		return note(EINVAL, "/dev/pts/ptmx is not the terminal multiplexer of a devpts");
	if (ioctl(master, TIOCSPTLCK, &unlock))
		return -1;
	*peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *peer < 0 ? -1 : master;
}

/* mount_console puts the terminal at /dev/console. */
static int mount_console(int peer)
{
	char name[256];
	int dir = make_parent("/dev/console", name);
	if (dir < 0)
		return -1;
	if (mknodat(dir, name, S_IFREG | 0666, 0) && errno != EEXIST)
		return -1;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		return -1;
	if (S_ISLNK(st.st_mode))
		return note(ELOOP, "/dev/console is a symbolic link");
	return bind(peer, fd) || close(dir) || close(fd) ? -1 : 0;
}

int op_console(const struct step *s)
{
	int peer;
	int master = open_terminal(&peer);
	if (master < 0)
		return -1;
	struct winsize size = { .ws_row = num(s, 0), .ws_col = num(s, 1) };
	if (size.ws_row && size.ws_col && ioctl(master, TIOCSWINSZ, &size))
		return -1;
	if (num(s, 2) && mount_console(peer))
		return -1;
	if (ask("sync", "console", master, NULL))
		return -1;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(peer, fd) < 0)
			return -1;
	if (ioctl(0, TIOCSCTTY, 0))
		return -1;
	return close(master) || close(peer) ? -1 : 0;
}
