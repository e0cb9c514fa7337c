package seccomp

// always are the system calls that every container may make, by subject. The
// kernel checks the capabilities that some of their uses need. A name that an
// architecture or a kernel does not have does no harm.
//
// socketcall is among them although sockets of any family can be made through
// it: 32-bit programs on x86 have no other way to the network.
var always = []string{
	// Identity: users, groups, capabilities, sessions
	`capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid
	 getppid getresgid getresgid32 getresuid getresuid32 getsid gettid getuid getuid32 setfsgid setfsgid32 setfsuid
	 setfsuid32 setgid setgid32 setgroups setgroups32 setpgid setregid setregid32 setresgid setresgid32 setresuid
	 setresuid32 setreuid setreuid32 setsid setuid setuid32`,
	// Extended attributes
	`fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
	 lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat`,
	// The network
	`accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64
	 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
	// Waiting for several descriptors
	`_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
	 epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
	 poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4`,
	// System V and POSIX messages, semaphores, shared memory
	`ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
	 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt
	 shmget`,
	// Time
	`adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
	 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create
	 timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
	 timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times`,
	// Asynchronous input and output
	`io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit`,
	// Signals
	`kill pause pidfd_send_signal restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
	 rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask
	 sigreturn tgkill tkill`,
	// Scheduling and priorities
	`getcpu getpriority ioprio_get ioprio_set membarrier rseq sched_get_priority_max sched_get_priority_min
	 sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
	 sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
	 setpriority`,
	// Memory
	`brk madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect
	 mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
	 remap_file_pages`,
	// Threads
	`futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area
	 set_robust_list set_thread_area set_tid_address uretprobe`,
	// Processes
	`execve execveat exit exit_group fork getrlimit getrusage landlock_add_rule landlock_create_ruleset
	 landlock_restrict_self pidfd_open prctl prlimit64 process_vm_readv process_vm_writev ptrace seccomp setrlimit
	 ugetrlimit umask vfork wait4 waitid waitpid`,
	// The machine
	`getrandom listmount riscv_hwprobe statmount sync syncfs sysinfo uname`,
	// Files: names and metadata
	`access chdir chmod chown chown32 faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown
	 fchown32 fchownat fstat fstat64 fstatat64 fstatfs fstatfs64 ftruncate ftruncate64 futimesat getcwd getdents
	 getdents64 lchown lchown32 link linkat lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat
	 readlink readlinkat rename renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink symlinkat
	 truncate truncate64 unlink unlinkat utime utimensat utimensat_time64 utimes`,
	// Files: content
	`_llseek cachestat close close_range copy_file_range creat dup dup2 dup3 fadvise64 fadvise64_64 fallocate fcntl fcntl64
	 fdatasync flock fsync ioctl lseek open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev
	 pwritev2 read readahead readv sendfile sendfile64 splice sync_file_range tee vmsplice write writev`,
}
