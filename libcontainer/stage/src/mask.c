/* What of proc and sysfs is hidden from the container, or read-only. */
#include <linux/mount.h>
#include <sys/mount.h>

#include "stage.h"

static int empty_fd = -1, empty_used;
static char empty_data[4096]; /* of the empty directories, where each is mounted by itself */

int op_empty(const struct step *s)
{
	if (refuses_mounts())
		return classic_options(list(s, 0), empty_data) == ~0UL ? -1 : 0;
	int fs = sys(fsopen, "tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -1;
	if (configure(fs, list(s, 0)) || sys(fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return note_fs(fs);
	empty_fd = sys(fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	close(fs);
	return empty_fd < 0 ? -1 : 0;
}

/* open_null opens what hides a file. */
static int open_null(void)
{
	int null = in_root("/dev/null", O_PATH | O_NOFOLLOW, 0);
	if (null < 0)
		return note(errno, "opening /dev/null to mask with");
	if (!is_null_device(null))
		return closing(null, note(EINVAL, "container's /dev/null is invalid: it is not the null device"));
	return null;
}

static int mask_classic(int fd, int is_dir)
{
	if (is_dir)
		return mount_fds(-1, fd, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, empty_data);
	int null = open_null();
	return null < 0 ? -1 : closing(null, mount_fds(null, fd, NULL, MS_BIND, NULL));
}

/* mask_tree is what hides: the empty directory itself at first, since a
 * detached mount cannot be cloned, and clones of it from then on; for a file
 * the null device. */
static int mask_tree(int is_dir)
{
	if (is_dir && !empty_used++)
		return empty_fd;
	if (is_dir)
		return clone_tree(empty_fd, "", AT_EMPTY_PATH);
	int null = open_null();
	if (null < 0)
		return -1;
	int tree = clone_tree(null, "", AT_EMPTY_PATH);
	close(null);
	return tree;
}

int op_mask(const struct step *s)
{
	struct stat st;
	int fd = in_kept(str(s, 0));
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	if (fstat(fd, &st))
		return -1;
	if (refuses_mounts())
		return closing(fd, mask_classic(fd, S_ISDIR(st.st_mode)));
	int tree = mask_tree(S_ISDIR(st.st_mode));
	if (tree < 0 || move_to(tree, fd))
		return -1;
	if (tree != empty_fd)
		close(tree);
	return close(fd);
}

int op_read_only(const struct step *s)
{
	int fd = in_kept(str(s, 0));
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	int classic = refuses_mounts(), late = refuses_attributes(); /* then only what is attached can be changed */
	if (classic && mount_fds(fd, fd, NULL, MS_BIND | MS_REC, NULL))
		return -1;
	int tree = classic ? on_top(fd, str(s, 0)) : clone_tree(fd, "", AT_EMPTY_PATH | AT_RECURSIVE);
	if (tree < 0 || (!late && do_mount_setattr(tree, &attr, 1)) || (!classic && move_to(tree, fd)))
		return -1;
	if (late && (do_mount_setattr(tree, &attr, 0) || read_only_below(tree)))
		return -1;
	close(tree);
	return close(fd);
}
