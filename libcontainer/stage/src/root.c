/* The root: made a mount of its own, and entered. */
#include <linux/mount.h>
#include <sys/mount.h>

#include "stage.h"

/* isolate makes the mount that holds the path private where it is shared: a
 * shared parent cannot be pivoted from, and would carry our mounts to the host. */
static int isolate(const char *path)
{
	char at[4096];
	if (strlen(path) >= sizeof at)
		return note(ENAMETOOLONG, "");
	strcpy(at, path);
	while (mount(NULL, at, NULL, MS_PRIVATE, NULL)) {
		char *slash = strrchr(at, '/');
		if (errno != EINVAL || !slash || !at[1])
			return -1;
		slash[slash == at] = 0;
	}
	return 0;
}

enum { ROOT_OPEN, ROOT_MOUNT, ROOT_ISOLATED, ROOT_ON_HOST };

/* op_root mounts the root onto itself, or only opens it: see the values of
 * ROOT_*. Hooks that come before the root is entered find themselves in it. */
int op_root(const struct step *s)
{
	const char *path = root_path = str(s, 0);
	if (num(s, 1) != ROOT_OPEN) {
		if (num(s, 1) == ROOT_ISOLATED && isolate(path))
			return -1;
		if (refuses_mounts() && mount(path, path, NULL, MS_BIND | MS_REC, NULL))
			return -1;
		if (!refuses_mounts() && hold_tree(clone_tree(AT_FDCWD, path, AT_RECURSIVE)))
			return -1;
		if (!refuses_mounts() && sys(move_mount, tree_fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS))
			return -1;
		if (num(s, 1) == ROOT_ON_HOST && mount(NULL, path, NULL, MS_PRIVATE | MS_REC, NULL))
			return -1;
	}
	root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root_fd < 0 ? -1 : fchdir(root_fd);
}

static int detach_old(int old)
{
	return fchdir(old) || mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) || umount2(".", MNT_DETACH) || chdir("/") ? -1 : 0;
}

int op_pivot(const struct step *s)
{
	(void)s;
	int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (old < 0 || fchdir(root_fd) || sys(pivot_root, ".", ".") || detach_old(old))
		return -1;
	return close(old);
}

int op_chroot(const struct step *s)
{
	(void)s;
	return fchdir(root_fd) || chroot(".") || chdir("/") ? -1 : 0;
}

/* op_move_root hides the host's whole proc and sysfs first: seen after
 * chroot, they would allow the container to mount its own unmasked. */
int op_move_root(const struct step *s)
{
	for (char **hide = list(s, 0); *hide; hide++) {
		if (mount(NULL, *hide, NULL, MS_SLAVE | MS_REC, NULL) && errno == ENOENT)
			continue;
		if (umount2(*hide, MNT_DETACH) && mount("tmpfs", *hide, "tmpfs", 0, NULL))
			return -1;
	}
	if (fchdir(root_fd) || mount(".", "/", NULL, MS_MOVE, NULL))
		return -1;
	return op_chroot(s);
}
