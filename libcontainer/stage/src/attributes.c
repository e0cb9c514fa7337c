/* Attributes of mounts; by mount(2) where a container host refuses
 * mount_setattr(2). */
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "stage.h"

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
	if (!refuses_attributes())
		return sys(mount_setattr, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), attr, sizeof *attr);
	return change(fd, attr, recursive);
}

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
