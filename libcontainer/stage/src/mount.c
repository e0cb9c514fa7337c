/* Mounts: opened detached, changed, and put in their place. */
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/magic.h>
#include <linux/stat.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include "stage.h"

#ifndef FSOPEN_CLOEXEC
#error "linux/mount.h lacks the new mount API"
#endif

enum { ATTACH_PLAIN = 1, ATTACH_ON_PROC = 2, ATTACH_ONLY_PROC = 4 };
enum { ATTR_RECURSIVE = 1 };

int tree_fd = -1;
static int tree_attached;

int hold_tree(int fd)
{
	if (tree_fd >= 0)
		close(tree_fd);
	tree_fd = fd;
	tree_attached = 0;
	return fd < 0 ? -1 : 0;
}

int op_take_tree(const struct step *s)
{
	int fd;
	if (ask("sync", str(s, 0), -1, &fd))
		return -1;
	if (fd < 0)
		return note(EBADF, "no mount came with the answer");
	return hold_tree(fd);
}

int move_to(int tree, int dest)
{
	if (refuses_mounts())
		return classic_move(tree, dest);
	return sys(move_mount, tree, "", dest, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int clone_tree(int fd, const char *path, unsigned flags)
{
	return sys(open_tree, fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

/* open_source opens what a bind mount shows. */
static int open_source(const char *path, unsigned flags)
{
	int from = open(path, O_PATH | O_CLOEXEC | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0));
	return from < 0 ? -1 : closing(from, classic_clone(from, flags));
}

/* note_fs keeps what the file system says of the failure. */
int note_fs(int fs)
{
	char text[512];
	int error = errno; /* which read changes */
	ssize_t size = read(fs, text, sizeof text);
	if (size > 2)
		note_bytes(text + 2, size - 2 - (text[size - 1] == '\n'));
	errno = error;
	return closing(fs, -1);
}

int configure(int fs, char **options)
{
	for (; *options; options++) {
		char *value = strchr(*options, '=');
		if (value)
			*value = 0; /* the plan's memory is private */
		int failed = value ? sys(fsconfig, fs, FSCONFIG_SET_STRING, *options, value + 1, 0)
				   : sys(fsconfig, fs, FSCONFIG_SET_FLAG, *options, NULL, 0);
		if (value)
			*value = '=';
		if (failed) {
			note(errno, *options);
			return note(errno, ": ");
		}
	}
	return 0;
}

/* mode_of tells whether there is a directory, and its mode. */
static int mode_of(const char *dest, char mode[6])
{
	struct stat st;
	int fd = *dest ? in_root(dest, O_PATH, 0) : -1;
	if (fd < 0)
		return 0;
	fstat(fd, &st);
	close(fd);
	for (int i = 0; i < 5; i++)
		mode[i] = '0' + ((st.st_mode & 07777) >> 3 * (4 - i) & 7);
	mode[5] = 0;
	return 1;
}

/* inherit_mode gives a tmpfs the mode of the directory that it covers. */
static int inherit_mode(int fs, const char *dest)
{
	char mode[6];
	return mode_of(dest, mode) ? sys(fsconfig, fs, FSCONFIG_SET_STRING, "mode", mode, 0) : 0;
}

/* hold_classic makes a file system by mount(2). */
static int hold_classic(const char *type, const char *source, unsigned long flags, const char *data, uint64_t attributes)
{
	struct mount_attr attr = { .attr_set = attributes };
	if (hold_tree(classic_fs(type, source, flags, data)))
		return -1;
	return refuses_attributes() ? attributes_later(&attr, 0, 0) : do_mount_setattr(tree_fd, &attr, 0);
}

static int new_classic(const struct step *s)
{
	char data[4096], mode[6];
	unsigned long flags = classic_options(list(s, 2), data);
	size_t used = strlen(data);
	if (flags == ~0UL || used + 12 > sizeof data)
		return note(E2BIG, "the options do not fit into a page");
	if (mode_of(str(s, 4), mode))
		strcat(strcat(data, used ? ",mode=" : "mode="), mode);
	return hold_classic(str(s, 0), str(s, 1), flags, data, num(s, 3));
}

int op_new_fs(const struct step *s)
{
	if (refuses_mounts())
		return new_classic(s);
	int fs = sys(fsopen, str(s, 0), FSOPEN_CLOEXEC);
	if (fs < 0)
		return -1;
	if (sys(fsconfig, fs, FSCONFIG_SET_STRING, "source", str(s, 1), 0) || inherit_mode(fs, str(s, 4)) ||
	    configure(fs, list(s, 2)) || sys(fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return note_fs(fs);
	int tree = sys(fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)num(s, 3));
	if (tree < 0)
		return note_fs(fs);
	close(fs);
	return hold_tree(tree);
}

/* op_mount_fs is for options that fsconfig does not take: mount(2) needs a
 * place, which is the root's for a moment. */
int op_mount_fs(const struct step *s)
{
	if (strlen(str(s, 3)) > 4095)
		return note(E2BIG, "the options do not fit into a page");
	if (refuses_mounts())
		return hold_classic(str(s, 0), str(s, 1), num(s, 2), str(s, 3), num(s, 4));
	struct mount_attr attr = { .attr_set = num(s, 4) };
	if (mount(str(s, 1), root_path, str(s, 0), num(s, 2), str(s, 3)))
		return -1;
	int failed = hold_tree(clone_tree(AT_FDCWD, root_path, 0)), error = errno;
	if (umount2(root_path, MNT_DETACH))
		return -1;
	errno = error;
	if (failed)
		return -1;
	return refuses_attributes() ? attributes_later(&attr, 0, 0) : do_mount_setattr(tree_fd, &attr, 0);
}

int op_open_tree(const struct step *s)
{
	return hold_tree(refuses_mounts() ? open_source(str(s, 0), num(s, 1)) : clone_tree(AT_FDCWD, str(s, 0), num(s, 1)));
}

int op_map_tree(const struct step *s)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = file_fd(num(s, 0)) };
	if (refuses_mounts())
		return note(ENOSYS, "open_tree(2) is refused here, and nothing stands in for it");
	return do_mount_setattr(tree_fd, &attr, num(s, 1));
}

/* What the options do not name is reset too, unless it is locked by the
 * namespace that the mount comes from: then it stays, but for nosymfollow,
 * which never is. */
int op_set_attributes(const struct step *s)
{
	struct mount_attr attr = { num(s, 0), num(s, 1) | num(s, 2), num(s, 3), 0 };
	int recursive = num(s, 4) & ATTR_RECURSIVE;
	if (refuses_attributes() && !tree_attached) {
		attr.attr_clr = num(s, 1);
		return attributes_later(&attr, num(s, 2), recursive);
	}
	int failed = do_mount_setattr(tree_fd, &attr, recursive);
	if (failed && errno == EPERM && num(s, 2)) {
		attr.attr_clr = num(s, 1) | (num(s, 2) & MOUNT_ATTR_NOSYMFOLLOW);
		failed = do_mount_setattr(tree_fd, &attr, recursive);
	}
	return failed;
}

int op_set_attributes_at(const struct step *s)
{
	int fd = in_root(str(s, 0), O_PATH, 0);
	if (fd < 0)
		return -1;
	struct mount_attr attr = { num(s, 1), num(s, 2), num(s, 3), 0 };
	return closing(fd, do_mount_setattr(fd, &attr, num(s, 4) & ATTR_RECURSIVE));
}

int op_reconfigure(const struct step *s)
{
	int fd = in_root(str(s, 0), O_PATH, 0);
	if (fd < 0)
		return -1;
	if (refuses_mounts()) {
		char data[4096];
		unsigned long flags = classic_options(list(s, 1), data);
		if (flags == ~0UL)
			return note(E2BIG, "the options do not fit into a page");
		return closing(fd, mount_fds(-1, fd, NULL, MS_REMOUNT | flags_now(fd) | flags, data));
	}
	int fs = sys(fspick, fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	close(fd);
	if (fs < 0)
		return -1;
	if (configure(fs, list(s, 1)) || sys(fsconfig, fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0))
		return note_fs(fs);
	return close(fs);
}

static long fs_type(int fd)
{
	struct statfs st;
	return fstatfs(fd, &st) ? -1 : (long)st.f_type;
}

/* open_dest opens the place to mount on, made like the mount in hand where
 * it is missing. */
static int open_dest(const char *dest, int64_t flags)
{
	struct stat st;
	if (fstat(tree_fd, &st))
		return -1;
	uint64_t resolve = flags & ATTACH_PLAIN ? RESOLVE_NO_SYMLINKS : 0;
	int fd = in_root(dest, O_PATH, resolve);
	if (fd < 0 && errno == ENOENT) {
		fd = S_ISDIR(st.st_mode) ? make_dir(dest) : make_file(dest);
		if (fd >= 0 && resolve) {
			close(fd); /* a link may have come up meanwhile */
			fd = in_root(dest, O_PATH, resolve);
		}
	}
	if (fd < 0 && errno == ELOOP && flags & ATTACH_PLAIN)
		return note(ELOOP, S_ISDIR(st.st_mode) ? "it must be mounted on ordinary directory, not through a symbolic link"
						       : "it must not be mounted through a symbolic link");
	return fd;
}

static int same_mount_root(int a, int b)
{
	struct statx x, y;
	unsigned mask = STATX_INO | STATX_MNT_ID;
	if (sys(statx, a, "", AT_EMPTY_PATH, mask, &x) || sys(statx, b, "", AT_EMPTY_PATH, mask, &y))
		return 1;
	return x.stx_ino == y.stx_ino && x.stx_mnt_id == y.stx_mnt_id;
}

/* CVE-2019-16884, CVE-2025-52881: what covers proc would take the writes
 * that are meant for it. */
static int check_dest(int fd, int64_t flags)
{
	if (same_mount_root(fd, root_fd))
		return note(EINVAL, "the mountpoint is on the top of rootfs");
	if (fs_type(fd) == PROC_SUPER_MAGIC && !(flags & (ATTACH_ON_PROC | ATTACH_ONLY_PROC)))
		return note(EINVAL, "it cannot be mounted because it is inside /proc");
	if (flags & ATTACH_ONLY_PROC && fs_type(tree_fd) != PROC_SUPER_MAGIC)
		return note(EINVAL, "it cannot be mounted because it is not of type proc");
	return 0;
}

int op_attach(const struct step *s)
{
	int64_t flags = num(s, 1);
	int fd = open_dest(str(s, 0), flags);
	if (fd < 0)
		return -1;
	if (closing(fd, check_dest(fd, flags) || move_to(tree_fd, fd) || attributes_settled(tree_fd)))
		return -1;
	tree_attached = 1;
	return keep_mount(str(s, 0), flags & ATTACH_PLAIN ? tree_fd : -1);
}

static int is_mount_root(int fd)
{
	struct statx st;
	return !sys(statx, fd, "", AT_EMPTY_PATH, 0, &st) && st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* unmount takes away what an open descriptor is the root of: by its name in
 * the host's proc, since no other name is sure to lead there. */
static int unmount(int fd)
{
	char path[32] = "self/fd/", number[24];
	strcat(path, decimal(fd, number));
	return fchdir(file_fd(0)) || umount2(path, MNT_DETACH) || fchdir(root_fd) ? -1 : 0;
}

/* op_unmount follows no link: one that the container changes must not choose
 * what is uncovered. */
int op_unmount(const struct step *s)
{
	int fd = in_root(str(s, 0), O_PATH, RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return errno == ELOOP ? note(ELOOP, "the path leads through a symbolic link") : -1;
	if (same_mount_root(fd, root_fd))
		return closing(fd, note(EBUSY, "it is the root file system"));
	if (!is_mount_root(fd))
		return closing(fd, note(EINVAL, "nothing is mounted there"));
	return closing(fd, unmount(fd));
}

int op_label(const struct step *s)
{
	int fd = in_root(str(s, 0), O_RDONLY, 0);
	if (fd < 0)
		return -1;
	return closing(fd, fsetxattr(fd, "security.selinux", str(s, 1), strlen(str(s, 1)) + 1, 0));
}

int op_propagate(const struct step *s) { return mount(NULL, str(s, 0), NULL, num(s, 1), NULL); }
