#!/usr/bin/env python3
"""Each rule of lint.py passes on a clean tree and fails on a tree with one thing wrong."""

import pathlib
import shutil
import tempfile
import unittest

import lint

# The smallest clean tree that every rule looks at.
CLEAN = {
    "common/units.h": "// Sizes.\n#pragma once\n",
    "common/units.cc": '#include "common/units.h"\n',
    "common/CMakeLists.txt": "cairn_library(NAME cairn_common SRCS units.cc DEPS fmt::fmt)\n",
    "namenode/namespace/tree.h": '// The tree.\n#pragma once\n#include <map>\n',
    "namenode/namespace/tree.cc": '#include "common/units.h"\nint x = 0;  // a comment\n',
    "namenode/namespace/CMakeLists.txt":
        "cairn_library(NAME nn_namespace SRCS tree.cc DEPS cairn_common)\n",
    "tests/unit/common/units_test.cc": '#include "common/units.h"\n',
    "tests/unit/common/CMakeLists.txt": "cairn_test(NAME t SRCS units_test.cc)\n",
    "tests/unit/namenode/namespace/tree_test.cc": "#include <mutex>\n",
    "tests/unit/namenode/CMakeLists.txt": "cairn_test(NAME u SRCS namespace/tree_test.cc)\n",
    "docs/a.md": "A long line of prose is fine. " * 9 + "end\n",
}
TREE_H, TREE_CC = "namenode/namespace/tree.h", "namenode/namespace/tree.cc"


def tree(changes):
    texts = {path: text for path, text in {**CLEAN, **changes}.items() if text is not None}
    return lint.Tree(pathlib.Path("."), texts)


class RulesTest(unittest.TestCase):
    def fails(self, rule, path, changes, count=1):
        """`rule` finds nothing in the clean tree, and `count` things, all in `path`, in this."""
        self.assertEqual([], [str(f) for f in rule(tree({}))])
        findings = list(rule(tree(changes)))
        self.assertEqual([path] * count, [f.path for f in findings], findings)

    def passes(self, rule, changes):
        self.assertEqual([], [str(f) for f in rule(tree(changes))])

    def test_clean_tree_passes_every_rule(self):
        for rule in lint.RULES:
            self.passes(rule, {})

    def test_include_against_an_arrow(self):
        for header in ("namenode/blocks/map.h", "common/net/server.h", "proto/types.pb.h",
                       "client/file_system.h", "tests/support/temp.h", "datanode/datanode.h"):
            self.fails(lint.arrows_by_include, TREE_CC, {TREE_CC: f'#include "{header}"\n'})
        self.fails(lint.arrows_by_include, "common/units.cc",
                   {"common/units.cc": '#include "namenode/namespace/tree.h"\n'})

    def test_include_of_one_header_only(self):
        path = "client/mini/mini.cc"
        self.passes(lint.arrows_by_include, {path: '#include "namenode/namenode.h"\n'})
        self.fails(lint.arrows_by_include, path, {path: '#include "namenode/other.h"\n'})
        path = "namenode/codec/edits.cc"
        self.passes(lint.arrows_by_include, {path: '#include "proto/storage.pb.h"\n'})
        self.fails(lint.arrows_by_include, path, {path: '#include "proto/client.pb.h"\n'})

    def test_the_daemons_meet_nowhere_else(self):
        for room in ("client", "client/cli", "namenode", "namenode/service"):
            path = f"{room}/x.cc"
            self.fails(lint.arrows_by_include, path, {path: '#include "datanode/datanode.h"\n'})

    def test_source_outside_of_every_room(self):
        self.fails(lint.arrows_by_include, "util/x.cc", {"util/x.cc": ""})

    def test_link_against_an_arrow(self):
        path = "namenode/namespace/CMakeLists.txt"
        for library in ("cairn_net", "cairn_proto", "nn_blocks", "nn_nonsense"):
            self.fails(lint.arrows_by_link, path,
                       {path: f"cairn_library(NAME nn_namespace SRCS tree.cc\n"
                              f"  DEPS cairn_common {library})\n"})

    def test_banned_includes(self):
        cases = [(TREE_CC, h) for h in (
            "<thread>", "<chrono>", "<fstream>", "<atomic>", "<unistd.h>", "<sys/stat.h>",
            '"common/clock.h"', '"common/env.h"', "<grpcpp/grpcpp.h>", "<spdlog/spdlog.h>",
            "<google/protobuf/message.h>", "<iostream>", "<mutex>", "<boost/asio.hpp>",
            '"absl/synchronization/mutex.h"', '"proto/a.grpc.pb.h"')]
        cases += [("namenode/journal/j.cc", "<grpcpp/grpcpp.h>"),
                  ("client/x.cc", "<shared_mutex>"), ("datanode/store/x.cc", "<openssl/ssl.h>"),
                  ("common/options.cc", "<CLI/CLI.hpp>"), ("client/cli/x.cc", "<CLI/CLI.hpp>"),
                  ("datanode/web/x.cc", "<prometheus/registry.h>"),
                  ("tests/unit/common/units_test.cc", '"absl/synchronization/mutex.h"')]
        for path, header in cases:
            self.fails(lint.banned_includes, path, {path: f"#include {header}\n"})

    def test_includes_that_are_allowed(self):
        for path, header in [("common/mutex.h", "<mutex>"), ("client/cli/x.cc", "<iostream>"),
                             ("datanode/main.cc", "<iostream>"),
                             ("datanode/store/x.cc", "<thread>"),
                             ("common/log.cc", "<spdlog/spdlog.h>"),
                             ("common/net/s.cc", "<grpcpp/grpcpp.h>")]:
            self.passes(lint.banned_includes, {path: f"#include {header}\n"})

    def test_banned_code(self):
        for code in ("std::this_thread::sleep_for(x);", "usleep (10);", "std::mutex m;",
                     "std::unique_lock l(m);", "pthread_mutex_lock(&m);", "t.detach();",
                     "#define private public"):
            self.fails(lint.banned_code, TREE_CC, {TREE_CC: code + "\n"})
        self.passes(lint.banned_code, {TREE_CC: '// std::mutex\nauto s = "std::mutex";\n',
                                       "common/mutex.cc": "std::mutex m;\n"})

    def test_sizes(self):
        self.fails(lint.sizes, TREE_CC, {TREE_CC: "int x;\n" * (lint.rules.MAX_LINES + 1)})
        wide = "x" * (lint.rules.MAX_COLUMNS + 1)
        self.fails(lint.sizes, TREE_CC, {TREE_CC: f"ok\n{wide}\n"})
        self.passes(lint.sizes, {TREE_CC: f"// https://{wide}\n"})

    def test_white_space(self):
        self.fails(lint.whitespace, TREE_CC, {TREE_CC: "int x; \n"})
        self.fails(lint.whitespace, TREE_CC, {TREE_CC: "int x;"})

    def test_unfinished_words(self):
        for word in ("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"):
            self.fails(lint.unfinished_words, TREE_H, {TREE_H: f"// {word}: later\n"})
        self.passes(lint.unfinished_words, {TREE_H: '"name.XX' 'XXXX"\n'})

    def test_machine_paths(self):
        for path in ("/wo" "rk/main/x", "/fa" "rm/in", "/ro" "ot/x"):
            self.fails(lint.machine_paths, "docs/a.md", {"docs/a.md": f"see {path}\n"})

    def test_headers(self):
        self.fails(lint.headers, TREE_H, {TREE_H: "#pragma once\n"})
        self.fails(lint.headers, TREE_H, {TREE_H: "// What.\n#ifndef X_\n#endif\n"})

    def test_source_that_is_never_built(self):
        self.fails(lint.listed_in_cmake, "common/lost.cc", {"common/lost.cc": ""})
        path = "tests/unit/common/nits_test.cc"  # a suffix of a listed name is not listed
        self.fails(lint.listed_in_cmake, path, {path: ""})

    def test_tests_mirror_sources(self):
        path = "tests/unit/elsewhere/x_test.cc"
        self.fails(lint.tests_mirror_sources, path, {path: ""})
        self.fails(lint.tests_mirror_sources, TREE_CC,
                   {"tests/unit/namenode/namespace/tree_test.cc": None})

    def test_every_rule_has_a_test(self):
        tested = pathlib.Path(__file__).read_text("utf-8")
        for rule in lint.RULES:
            self.assertIn(f"self.fails(lint.{rule.__name__},", tested)


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="cairn-lint-"))
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in CLEAN.items():
            self.write(path, text)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, "utf-8")

    def test_reads_sources_and_leaves_out_what_is_built(self):
        for path in ("build/x.cc", ".git/x.cc", "common/__pycache__/x.py"):
            self.write(path, "")
        self.write(".ci/run", "true\n")
        self.assertEqual(set(CLEAN) | {".ci/run"}, set(lint.Tree.read(self.root).texts))

    @unittest.skipUnless(shutil.which("clang-format"), "needs clang-format")
    def test_formatting(self):
        self.write(".clang-format", "BasedOnStyle: Google\n")
        self.write("common/units.cc", '#include "common/units.h"\nint   x;\n')
        found = list(lint.clang_format(lint.Tree.read(self.root)))
        self.assertEqual([("common/units.cc", 2)], [(f.path, f.line) for f in found])


if __name__ == "__main__":
    unittest.main()
