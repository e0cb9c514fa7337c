# davit's everyday commands. Each line of a recipe is one that you can type.

GO      ?= go
PREFIX  ?= /usr/local
DESTDIR ?=
SUDO    := $(if $(filter 0,$(shell id -u)),,sudo)

# What the build needs: a C compiler and libseccomp for the seccomp compiler,
# musl and the kernel's headers for the stage.
BUILD_PACKAGES = gcc libc6-dev pkg-config libseccomp-dev musl-tools linux-libc-dev
# What the tests and the demo need: a static busybox as a root file system, the
# programs that write id maps of a user namespace, what the tests look with, and
# who else unpacks images.
TEST_PACKAGES  = busybox-static uidmap iproute2 util-linux strace mandoc debootstrap umoci skopeo podman docker-registry iptables containernetworking-plugins slirp4netns passt conmon containerd docker.io crun runc catatonit bzip2 xz-utils zstd tmux
# What the measurements need: the runtimes to compare with, and time(1) for peak memory.
BENCH_PACKAGES = runc crun time zstd
# What a guest to test in is made of and runs on.
VM_PACKAGES    = qemu-system-x86 seabios mmdebstrap cpio xz-utils e2fsprogs
PACKAGES       = $(BUILD_PACKAGES) $(TEST_PACKAGES) $(BENCH_PACKAGES) $(VM_PACKAGES)

# make test-vm VM_TESTS=quick, or VM_TESTS='libcontainer TestSystemd'
VM_TESTS    ?= all
# make bench PEERS='crun127=/path/to/crun' BENCH_FLAGS='-n 200 -only run'
PEERS       ?=
BENCH_FLAGS ?=
# make bench-unpack UNPACK_FLAGS='-rounds 5 -image debian-gzip'; the images stay in UNPACK_IMAGES
UNPACK_FLAGS  ?=
# further programs to measure, called with LAYOUT IMAGE DIR: 'name=path ...'
UNPACK_PEERS  ?=
UNPACK_IMAGES ?= /var/tmp/davit-images
# make images IMAGES_FLAGS='-run TestImage/gzip'
IMAGES_FLAGS ?=
# make bench-verbs VERBS_FLAGS='-n 5 -only run'
VERBS_FLAGS ?=
PODMAN ?= podman --runtime runc
# make sweep SWEEP_FLAGS='-every 10 -only create,start'
SWEEP_FLAGS ?=
# make kills KILLS_FLAGS='-seed 7 -workers 6'
KILLS_FLAGS ?=
# make leaks LEAKS_FLAGS='-cgroup v2 -in-sequence 100'
LEAKS_FLAGS ?=

.PHONY: help deps build test security vm bench bench-shim bench-unpack bench-verbs images stress-shim sweep leaks kills demo demo-services install generate clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

deps: ## install what is missing of Debian's packages and of Go's modules
	dpkg-query --show $(PACKAGES) >/dev/null 2>&1 || $(SUDO) apt-get update
	dpkg-query --show $(PACKAGES) >/dev/null 2>&1 || $(SUDO) apt-get install --yes --no-install-recommends $(PACKAGES)
	$(GO) mod download

build: ## build the programs into bin/
	$(GO) build -trimpath -tags netgo,osusergo -ldflags '-s -w -linkmode external -extldflags -static' -o libcontainer/seccomp/compile/bin/compiler ./libcontainer/seccomp/compiler
	libcontainer/seccomp/compile/bin/compiler --version > libcontainer/seccomp/compile/bin/compiler.version
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags '-s -w' -o bin/davit ./runtime
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags '-s -w' -o bin/davit-shim ./shim/davit-shim
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags '-s -w' -o bin/containerd-shim-davit-v2 ./shim/containerd-shim-davit-v2

test: deps build ## check and test everything; as root also what needs root
	$(GO) vet ./...
	CGO_ENABLED=0 $(GO) vet ./...
	$(GO) test ./...
	CGO_ENABLED=0 $(GO) test ./libcontainer/seccomp/compile ./libcontainer

vm: deps ## make a guest with cgroup v2, systemd, AppArmor and CRIU: bin/davit-vm run CMD
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/davit-vm ./conformance/vm/davit-vm
	bin/davit-vm image

security: deps build ## attack davit with long races, as published vulnerabilities did
	$(GO) test ./conformance/security -count=1 -timeout 2h -rounds 1000 -runtime $(CURDIR)/bin/davit
	$(GO) test ./conformance/hostile -count=1 -timeout 2h -rounds 300

test-vm: vm build ## run the root tests in the guest; VM_TESTS=quick: what only it can show
	conformance/vm/test $(VM_TESTS)

bench: deps build ## measure davit beside runc, crun and PEERS='name=path ...'
	$(GO) run ./conformance/bench $(BENCH_FLAGS) davit=bin/davit $(PEERS)

bench-shim: deps build ## measure the shim beside containerd's own, through Debian's containerd
	$(GO) run ./conformance/shimbench $(BENCH_FLAGS) io.containerd.runc.v2= io.containerd.davit.v2=bin/containerd-shim-davit-v2

bench-unpack: deps build ## measure davit-shim beside umoci, podman, skopeo, containerd and tar, as root
	$(GO) run ./conformance/images -o $(UNPACK_IMAGES)
	$(GO) run ./conformance/unpack -images $(UNPACK_IMAGES) $(UNPACK_FLAGS) davit-shim=bin/davit-shim $(UNPACK_PEERS)

bench-verbs: deps build ## measure davit-shim beside podman: run, exec, stop, ps, build, as root
	$(GO) run ./conformance/verbs $(VERBS_FLAGS) davit-shim=bin/davit-shim 'podman=$(PODMAN)'

images: deps build ## move a large image through every source and sink, and compare with umoci and tar, as root
	$(GO) run ./conformance/images -o $(UNPACK_IMAGES)
	$(GO) test ./conformance/transports -count=1 -timeout 3h -v -image debian -layout $(UNPACK_IMAGES) -disk $(IMAGES_FLAGS)

stress-shim: deps build ## 10,000 short containers, 1,000 outputs byte by byte, 200 kills of the shim, as root
	$(GO) test ./shim/containerd-shim-davit-v2 -run 'TestChurn|TestOutput|TestKills' -count=1 -timeout 4h -v -churn 10000 -outputs 1000 -kills 200

sweep: deps build ## kill davit at every system call of every command, for about an hour
	$(GO) run ./conformance/sweep $(SWEEP_FLAGS) davit=bin/davit

kills: deps build ## kill pulls, unpacks and commits at 200 random moments each, then davit-shim and its supervisors at work
	$(GO) test ./bundle/store -run 'TestKilled$$' -count=1 -timeout 2h -kills 200
	$(GO) test ./conformance/kills -count=1 -timeout 2h -v -kills 200 $(KILLS_FLAGS)

leaks: deps build ## make 1,200 containers twice, and look for what is left
	$(GO) run ./conformance/leaks $(LEAKS_FLAGS) davit=bin/davit

demo: deps build ## run a container from Debian's busybox, show its plan, and make an image of it
	contrib/demo/busybox bin/davit
	contrib/demo/image bin/davit-shim

demo-services: deps build ## run nginx and PostgreSQL from Debian's packages in containers, as root
	contrib/demo/services bin/davit-shim

install: build ## install programs, manual pages and completions below $(DESTDIR)$(PREFIX)
	install -D -t $(DESTDIR)$(PREFIX)/bin bin/davit bin/davit-shim bin/containerd-shim-davit-v2
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 contrib/man/*.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 contrib/man/*.1
	install -D -m 644 contrib/completions/davit.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/davit
	install -D -m 644 contrib/completions/davit-shim.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/davit-shim
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/zsh/site-functions contrib/completions/_*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d contrib/completions/*.fish

generate: ## write the generated code and the stage's program again
	$(GO) generate ./...

clean: ## remove what build made
	rm -rf bin libcontainer/seccomp/compile/bin/compiler libcontainer/seccomp/compile/bin/compiler.version
