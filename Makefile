# weir: `make demo` runs the main job, `make test` passes the tests; both install what they need.

SWIFT_FLAGS = --explicit-target-dependency-import-check error
# lld with relative relocations packed: 2 MB less than the default linker. Nothing loads the program's
# symbols at run time, so they are not exported: 2.8 MB less. A section a function lets the linker leave
# out what nothing calls and fold what is equal (nothing tells functions apart by address): 1 MB less.
RELEASE = $(SWIFT_FLAGS) -c release --static-swift-stdlib -Xswiftc -use-ld=lld \
	-Xswiftc -Xfrontend -Xswiftc -function-sections -Xcc -ffunction-sections -Xcc -fdata-sections \
	-Xlinker -z -Xlinker pack-relative-relocs -Xlinker --icf=all -Xlinker --no-export-dynamic
WEIR = .build/release/weir
PYTEST = .build/venv/bin/python -m pytest -q -p no:cacheprovider

.PHONY: build demo test unit integration cases crash crash-full differential differential-scalar \
	bench docs install clean

build:
	packaging/install-tools.sh build
	swift build $(RELEASE) --product weir

demo:
	packaging/install-tools.sh demo
	swift build $(RELEASE) --product weir
	packaging/demo.sh $(WEIR)

# Unit tests run one after the other: they share two cores with the servers that they start.
# Everything: unit tests, SQL cases, real servers, the crash harness's small run.
test:
	packaging/install-tools.sh test
	swift build $(RELEASE) --product weir
	swift test --no-parallel $(SWIFT_FLAGS)
	$(PYTEST) Tests/Integration Tests/Crash

unit:
	packaging/install-tools.sh test
	swift test --no-parallel $(SWIFT_FLAGS)

integration: build
	packaging/install-tools.sh test
	$(PYTEST) Tests/Integration Tests/Crash

# The long crash run: 200 kills over 200,000 messages, 60 power cuts, then the canary that must be caught.
crash-full: build
	packaging/install-tools.sh test
	.build/venv/bin/python Tests/Crash/crash.py --weir $(WEIR) --kills 200 --messages 200000
	.build/venv/bin/python Tests/Crash/crash.py --weir $(WEIR) --power --kills 60 --messages 30000 --rate 600
	.build/venv/bin/python Tests/Crash/crash.py --weir $(WEIR) --canary

# The SQL cases within one process, cut and interrupted.
cases: build
	$(WEIR) test --quiet --cut 1 --cut 3 --cut 7 --kill Tests/Cases/*.case

# Generated queries in weir and in Apache Flink (330 MB from PyPI, a JDK 17); rows compared.
differential: build
	python3 Tests/Differential/flink.py --weir $(WEIR)

bench: build
	Benchmarks/run.sh $(WEIR)

# The configuration reference is generated from the declarations in the code.
docs: build
	$(WEIR) config reference > docs/configuration.md
	WEIR_UPDATE_DOCS=1 swift test --explicit-target-dependency-import-check error --filter FunctionReferenceTests

# 20,000 random scalar expressions, by weir and by SQLite; prints its seed, --seed replays one.
differential-scalar: build
	python3 Tests/Differential/scalar_sqlite.py --weir $(WEIR)

install: build
	install -D -m 755 -s $(WEIR) $(DESTDIR)/usr/bin/weir
	install -D -m 644 systemd/weir.service $(DESTDIR)/lib/systemd/system/weir.service
	install -D -m 644 systemd/weir@.service $(DESTDIR)/lib/systemd/system/weir@.service
	install -D -m 644 README.md $(DESTDIR)/usr/share/doc/weir/README.md
	install -D -m 644 -t $(DESTDIR)/usr/share/doc/weir/docs docs/*.md
	install -D -m 644 -t $(DESTDIR)/usr/share/doc/weir/configs configs/*.toml
	install -d $(DESTDIR)/etc/weir

clean:
	rm -rf .build
