# SPDX-License-Identifier: Apache-2.0
# Short names for what one does most; the build itself is CMake's (CMakeLists.txt).
#   make                                      build/release/ohmwise
#   make demo [DATA=fashion-mnist|cifar100]   learn five (twenty) tasks and write a report: minutes
#                                             (an hour and a half) on two cores
#   make check                                build and run all tests; the last line on stdout is
#                                             "N passed, N failed" (where one fails, make adds a
#                                             line of its own on stderr)
#   make ci                                   everything .ci/run checks

DATA ?= fashion-mnist

.PHONY: all build demo check ci clean

all: build

build:
	@sh tools/bootstrap.sh
	@mkdir -p build
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build --preset release

demo: build
	@sh tools/demo.sh build/release/ohmwise '$(DATA)'

check: build
	@sh tools/check.sh build/release

ci:
	@bash .ci/run

clean:
	rm -rf build
