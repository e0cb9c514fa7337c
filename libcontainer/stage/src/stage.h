/* The stage: makes a container's process from inside, by executing a plan's
 * steps one after the other. It decides nothing; what it finds in the
 * container's files is all that can make two runs of one plan differ.
 *
 * No heap, no stdio, no locale, no name service. Every function returns -1
 * with errno, and may leave a note that tells more. A file uses those that stand
 * above it here. */
#ifndef STAGE_H
#define STAGE_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Calls that musl has no wrapper for. */
#include <sys/syscall.h>
#define sys(name, ...) syscall(SYS_##name, __VA_ARGS__)

#include "ops.h"

/* wire.c: the plan as decoded in place, and its files. */
struct step {
	uint16_t op;
	uint16_t values;
	uint32_t first; /* index of the first value */
};

int wire_load(int fd);
int wire_decode(void *plan, size_t size);
uint32_t wire_steps(void);
const struct step *wire_step(uint32_t i);
int64_t num(const struct step *s, int i);
const char *str(const struct step *s, int i);
const void *bytes(const struct step *s, int i, size_t *size);
char **list(const struct step *s, int i);
int file_fd(int64_t index);

/* clock.c */
void record_time(uint32_t step);
void stop_clock(void);

/* note.c */
enum { TALK_SIZE = 8192, NOTE_SIZE = TALK_SIZE / 2 };
int note(int error, const char *text);
void note_bytes(const char *text, size_t size);
int note_clear(void);
const char *noted_text(void);
const char *decimal(int64_t n, char buf[24]);
int closing(int fd, int result);

/* walk.c: done holds what was found, without links; rest what is left to go. */
enum { MAX_PATH = 4096 };
struct walk {
	char done[MAX_PATH], rest[MAX_PATH];
	int links;
};
int path_next(struct walk *w, char name[256]);
int path_descend(struct walk *w, const char *name);
int path_ascend(struct walk *w);
int path_follow(struct walk *w, int link);
int path_too_long(void);

/* refused.c: system calls that a container host may refuse. */
struct open_how;
int refuses_mounts(void);
int refuses_attributes(void);
int do_openat2(int base, const char *path, struct open_how *how);
int do_close_range(unsigned first, unsigned flags);

/* procmount.c */
int mount_fds(int from, int to, const char *type, unsigned long flags, const char *data);

/* attributes.c */
struct mount_attr;
int do_mount_setattr(int fd, struct mount_attr *attr, int recursive);
unsigned long flags_now(int fd);
int attributes_later(const struct mount_attr *attr, uint64_t reset, int recursive);
int attributes_settled(int fd);

/* readonly.c */
int read_only_below(int fd);

/* path.c: the container's files. */
extern int root_fd;
extern const char *root_path;
int in_root(const char *path, uint64_t flags, uint64_t resolve);
int keep_mount(const char *dest, int tree);
int in_kept(const char *path);
int make_dir(const char *path);
int make_file(const char *path);
int make_parent(const char *path, char name[256]);
int is_null_device(int fd);

/* classic.c: without the calls that make and move detached mounts. */
int classic_fs(const char *type, const char *source, unsigned long flags, const char *data);
int classic_clone(int from, unsigned flags);
unsigned long classic_options(char **options, char data[4096]);
int classic_move(int tree, int dest);
int on_top(int below, const char *path);

/* talk.c: the conversation with the parent. */
extern int control_fd;
int tell(const char *word, const char *text, int fd);
int ask(const char *word, const char *text, int fd, int *answer_fd);
int hear(const char *word, int *fd);
int await_start(int listener);
void report_failure(uint32_t step);

/* mount.c: tree_fd is the mount in hand, from its opening to the next one's. */
extern int tree_fd;
int hold_tree(int fd);
int move_to(int tree, int dest);
int clone_tree(int fd, const char *path, unsigned flags);
int configure(int fs, char **options);
int note_fs(int fs);

/* home.c */
char **with_home(char **env);

/* The operations, one function each, with the table's name. */
#define DECLARE(name, signature) int op_##name(const struct step *s);
OPERATIONS(DECLARE)
#undef DECLARE

#endif
