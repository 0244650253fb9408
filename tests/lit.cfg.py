# lit.cfg.py - the tests that are .nn files: RUN lines with nncc and FileCheck.
#
#   python3 /usr/lib/llvm-14/build/utils/lit/lit.py -sv --param build=build/release tests
#
# Debian's llvm-14-tools has lit (above), FileCheck and not; lit from PyPI works too.
import glob
import os
import shutil

import lit.formats

root = os.path.dirname(os.path.abspath(__file__))
params = lit_config.params


def find_tool(name):
    """The directory with a program of exactly this name: Debian's FileCheck-14 is a link into it."""
    places = [shutil.which(name)] + sorted(glob.glob(f"/usr/lib/llvm-*/bin/{name}"), reverse=True)
    found = next((p for p in places if p and os.path.exists(p)), None)
    if not found:
        lit_config.fatal(f"{name} not found: install llvm-14-tools")
    return os.path.dirname(os.path.realpath(found))


build = os.path.abspath(params.get("build", os.path.join(root, "..", "build", "release")))
if not os.path.exists(os.path.join(build, "bin", "nncc")):
    lit_config.fatal(f"no nncc in {build}/bin: build it, or say where with --param build=DIR")

config.name = "nncc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".nn"]
config.excludes = ["inputs", "tour", "versions"]
config.test_source_root = root
config.test_exec_root = os.path.join(build, "tests")
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(build, "bin"), find_tool("FileCheck"), config.environment["PATH"]])
config.environment["FILECHECK_OPTS"] = "--enable-var-scope --allow-unused-prefixes=false"
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.substitutions += [
    ("%cc", params.get("cc", os.environ.get("CC", "cc"))),
    ("%reread", f"sh {root}/reread.sh"),        # the dump of a file reads back as the same dump
    ("%roundtrip", f"sh {root}/roundtrip.sh"),  # after every pass; and compiles to the same C
    ("%inputs", os.path.join(root, "inputs")),
    ("%models", os.path.join(root, "..", "models")),
]
