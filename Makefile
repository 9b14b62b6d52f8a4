# The short way.  Presets (CMakePresets.json) are the long one.
BUILD := build/release
# A configured build keeps its settings; the reference folder is given anew.
CONFIGURE := cmake --preset release $(if $(TERN_REFERENCE_DIR),-DTERN_REFERENCE_DIR=$(abspath $(TERN_REFERENCE_DIR)),-UTERN_REFERENCE_DIR)
SOURCES := find bench cli packing runtime ternary_kernels tests -name '*.cc' -o -name '*.h'
PROMPT := Once upon a time, in a little house at the edge of the wood,

.PHONY: demo test test-peers deb check-deb bench report report-programs bench-check fuzz format lint clean

# Builds the program alone and lets the model that ships tell a story.
demo:
	scripts/install_packages.sh build
	cmake --preset demo
	cmake --build build/demo --target tern_cli
	@echo
	@echo '+ build/demo/tern run -p "$(PROMPT)" -n 150'
	build/demo/tern run -p "$(PROMPT)" -n 150

test:
	scripts/install_packages.sh build test bench
	$(CONFIGURE)
	cmake --build $(BUILD)
	ctest --preset release -j2
	@scripts/left_out_tests.sh

# Other programs read what tern pack writes, and ask tern serve
# (tests/peers/README.md): npm and a network are needed.
test-peers:
	scripts/install_packages.sh build test bench peers
	$(CONFIGURE)
	cmake --build $(BUILD) --target tern_cli
	tests/peers/run.sh $(BUILD)/tern

# The Debian packages, in build/deb.
deb:
	scripts/install_packages.sh build package
	cmake --preset deb
	cmake --build build/deb
	cd build/deb && cpack -G DEB

# They are installed, used and removed in a bare Debian 12: as root, with a
# network.
check-deb: deb
	scripts/check_package.sh build/deb

bench:
	scripts/install_packages.sh build test bench
	$(CONFIGURE)
	cmake --build $(BUILD) --target bench/all
	@for b in $$(find $(BUILD)/bench -maxdepth 1 -name '*_bench' -type f); do \
	  echo "== $$b"; $$b || exit 1; done

# Ternary beside FP16 on this machine: report/report.md and .html.  Goes on where
# it was stopped; QUICK=1 takes 3 minutes and writes report/quick.
report: report-programs
	papers/report/report.py --program $(BUILD)/tern \
	  $(if $(QUICK),--quick --out report/quick,--out report)

# Have the kernels become slower than bench/baseline.json says?
bench-check: report-programs
	scripts/bench_check.py --build $(BUILD)

report-programs:
	scripts/install_packages.sh build test bench report
	$(CONFIGURE)
	cmake --build $(BUILD) --target tern_cli bench/all

# Each target for FUZZ_SECONDS (60); findings go to build/fuzz/findings.
fuzz:
	scripts/install_packages.sh build test clang
	cmake --preset asan
	cmake --build --preset fuzz
	tests/fuzz/run.sh

format:
	scripts/install_packages.sh lint
	$(SOURCES) | xargs clang-format-14 -i

lint:
	scripts/install_packages.sh build test bench lint
	$(CONFIGURE)
	scripts/lint.sh $(BUILD)

clean:
	rm -rf build
