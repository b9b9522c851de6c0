#!/usr/bin/env python3
"""Checks the tree: arrows between rooms, banned includes, sizes, formatting.

    lint.py [--root DIR] [--format]  prints FILE:LINE: MESSAGE per finding; exit 1 if any
    lint.py --list cc h              the files with those suffixes, for other tools

A rule is a function (Tree) -> findings; RULES lists them, rules.py holds what they know.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass, field

import rules

SOURCES = (".cc", ".h")
SCRIPTS = (".py", ".sh", ".cmake")
TEXTS = SOURCES + SCRIPTS + (".proto", ".txt", ".md", ".json", ".yml", ".yaml")
PROGRAM_FILES = ("main.cc", "_main.cc")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


@dataclass(order=True)
class Finding:
    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


@dataclass
class Tree:
    """Every file of ours by its path from the root, read once."""

    root: pathlib.Path
    texts: dict = field(default_factory=dict)

    @classmethod
    def read(cls, root):
        tree = cls(pathlib.Path(root))
        for folder, folders, files in os.walk(tree.root):
            folders[:] = sorted(f for f in folders if not skipped(f))
            for name in sorted(files):
                path = pathlib.Path(folder, name)
                if is_text(path):
                    tree.texts[str(path.relative_to(tree.root))] = path.read_text("utf-8")
        return tree

    def files(self, *suffixes):
        return [(p, t) for p, t in self.texts.items() if p.endswith(suffixes)]


def skipped(folder):
    return folder in ("build", "__pycache__") or (folder.startswith(".") and folder != ".ci")


def is_text(path):
    if path.is_symlink():
        return False
    return path.suffix in TEXTS or path.name in ("dev", "run", "Dockerfile")


def room_of(path, rooms=rules.ARROWS):
    """The room with the longest path that holds `path`, or None."""
    parts = path.split("/")[:-1]
    for count in range(len(parts), 0, -1):
        if "/".join(parts[:count]) in rooms:
            return "/".join(parts[:count])
    return None


def covers(patterns, room):
    for pattern in patterns:
        if pattern in ("*", room) or (pattern.endswith("/*") and room.startswith(pattern[:-1])):
            return True
    return False


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def code_only(text):
    """The text with comments and string literals blanked; every line stays where it was."""
    pattern = re.compile(
        r"//[^\n]*|/\*.*?\*/"
        r'|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


# --- rules ---------------------------------------------------------------------------------


def arrows_by_include(tree):
    """A room includes only headers of the rooms that its arrows name."""
    for path, text in tree.files(*SOURCES):
        room = room_of(path)
        if room is None:
            yield Finding(path, 1, "belongs to no room; rooms are listed in tests/lint/rules.py")
            continue
        for match in INCLUDE.finditer(text):
            target, line = match.group(2), line_of(text, match.start())
            other = room_of(target)
            if match.group(1) == "<" or other is None or other == room:
                continue
            if target in rules.PROTO_FILES.get(room, []):
                continue
            if not covers(rules.ARROWS[room], other):
                yield Finding(path, line, f"{room} may not include {other}: {target}")
            elif target not in rules.HEADERS.get((room, other), [target]):
                yield Finding(path, line, f"{room} may not include {target} of {other}")


def arrows_by_link(tree):
    """A room links only the libraries of the rooms that its arrows name."""
    call = re.compile(r"^cairn_(?:library|program)\s*\((.*?)\)", re.S | re.M)
    for path, text in tree.files("CMakeLists.txt"):
        room = room_of(path)
        if room is None or room == "tests":
            continue
        allowed = rules.ARROWS[room]
        for match in call.finditer(text):
            words = re.sub(r"#[^\n]*", "", match.group(1)).split()
            deps = words[words.index("DEPS") + 1:] if "DEPS" in words else []
            for library in deps:
                other = rules.LIBRARIES.get(library)
                if other is None and re.match(r"(cairn|nn|dn)_", library):
                    yield Finding(path, line_of(text, match.start()),
                                  f"{library} is no room's library")
                elif other in (None, room) or covers(allowed, other):
                    continue
                elif not (room in rules.PROTO_FILES and other == "proto"):
                    yield Finding(path, line_of(text, match.start()),
                                  f"{room} may not link {library} ({other})")


def banned_includes(tree):
    for path, text in tree.files(*SOURCES):
        room = room_of(path) or ""
        for match in INCLUDE.finditer(text):
            for why, pattern, rooms, excepted in rules.BANNED_INCLUDES:
                if path.endswith(PROGRAM_FILES) and pattern == "iostream$":
                    continue
                if (covers(rooms, room) and not covers(excepted, room)
                        and re.match(pattern, match.group(2))):
                    yield Finding(path, line_of(text, match.start()),
                                  f"banned include {match.group(2)}: {why}")


def banned_code(tree):
    for path, text in tree.files(*SOURCES):
        room, code = room_of(path) or "", code_only(text)
        for why, pattern, rooms, excepted in rules.BANNED_CODE:
            if not covers(rooms, room) or covers(excepted, room):
                continue
            for match in re.finditer(pattern, code):
                yield Finding(path, line_of(text, match.start()),
                              f"banned {match.group(0).strip()}: {why}")


def sizes(tree):
    """Files and lines that fit a screen. Prose and tables may be wider; a URL may not be cut."""
    for path, text in tree.texts.items():
        lines = text.splitlines()
        if len(lines) > rules.MAX_LINES:
            yield Finding(path, len(lines), f"{len(lines)} lines; at most {rules.MAX_LINES}")
        if path.endswith((".md", ".json")) or path == "LICENSE":
            continue
        for number, line in enumerate(lines, 1):
            if len(line) > rules.MAX_COLUMNS and "://" not in line:
                yield Finding(path, number, f"{len(line)} columns; at most {rules.MAX_COLUMNS}")


def whitespace(tree):
    for path, text in tree.texts.items():
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip() and not (path.endswith(".md") and line.endswith("  ")):
                yield Finding(path, number, "trailing white space")
        if text and not text.endswith("\n"):
            yield Finding(path, line_of(text, len(text)), "no newline at the end")


def unfinished_words(tree):
    for path, text in tree.texts.items():
        for match in re.finditer(rules.UNFINISHED, text):
            yield Finding(path, line_of(text, match.start()),
                          f"{match.group(0)}: finish it or leave it out")


def machine_paths(tree):
    for path, text in tree.texts.items():
        for match in re.finditer(rules.MACHINE_PATHS, text):
            yield Finding(path, line_of(text, match.start()),
                          f"a path of one machine: {match.group(0)}")


def headers(tree):
    """A header says what it is before anything else, and is included once."""
    for path, text in tree.files(".h"):
        if not text.startswith("// "):
            yield Finding(path, 1, "a header opens with a comment: what it is, why, who calls it")
        if not re.search(r"^#pragma once$", text, re.M):
            yield Finding(path, 1, "no #pragma once")


def listed_in_cmake(tree):
    """A source that no CMakeLists.txt names is never built, a test never run."""
    for path, text in tree.files(".cc"):
        folder, name = os.path.split(path)
        lists = []
        while folder:
            lists.append(tree.texts.get(f"{folder}/CMakeLists.txt", ""))
            relative = os.path.relpath(path, folder)
            if re.search(rf"(^|[\s(]){re.escape(relative)}($|[\s)])", lists[-1], re.M):
                break
            folder = os.path.dirname(folder)
        else:
            yield Finding(path, 1, f"no CMakeLists.txt above lists {name}")


def tests_mirror_sources(tree):
    """tests/unit/ROOM/ tests ROOM; every room with code has tests there."""
    with_code, with_tests = {}, set()
    for path, _ in tree.files(".cc"):
        room = room_of(path)
        if path.startswith("tests/unit/"):
            room = room_of(path.removeprefix("tests/unit/"))
            support = path.startswith("tests/unit/support/")
            if room is None and not support:
                yield Finding(path, 1, "mirrors no room: tests/unit/ROOM/NAME_test.cc")
            with_tests.add(room)
        elif room not in (None, "tests") and not path.endswith(PROGRAM_FILES):
            with_code.setdefault(room, path)
    for room, path in with_code.items():
        # A composition root is tested as a whole cluster.
        if room not in with_tests and room not in ("namenode", "datanode", "client/mini"):
            yield Finding(path, 1, f"{room} has no test in tests/unit/{room}/")


RULES = [arrows_by_include, arrows_by_link, banned_includes, banned_code, sizes, whitespace,
         unfinished_words, machine_paths, headers, listed_in_cmake, tests_mirror_sources]


# --- clang-format ----------------------------------------------------------------------------

CLANG_FORMAT_MAJOR = 14  # versions differ in what they make of the same style


def clang_format(tree):
    """What `clang-format --dry-run` would change; not a RULE, for it needs the program."""
    try:
        version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True)
    except FileNotFoundError:
        yield Finding(".clang-format", 1, "clang-format is not installed; run ./dev setup")
        return
    if f"version {CLANG_FORMAT_MAJOR}." not in version.stdout:
        print(f"lint: formatting is not checked: it needs clang-format {CLANG_FORMAT_MAJOR}, here "
              f"is {version.stdout.strip()}", file=sys.stderr)
        return
    paths = [p for p, _ in tree.files(*SOURCES)]

    def check(path):
        run = subprocess.run(["clang-format", "--dry-run", "-Werror", path], cwd=tree.root,
                             capture_output=True, text=True)
        match = re.search(r":(\d+):\d+: error", run.stderr)
        if run.returncode != 0:
            return Finding(path, int(match.group(1)) if match else 1,
                           "clang-format would change it; run ./dev fmt")
        return None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from (finding for finding in pool.map(check, paths) if finding)


def main():
    parser = argparse.ArgumentParser(description="Checks the tree.")
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--format", action="store_true", help="also check with clang-format")
    parser.add_argument("--list", nargs="+", metavar="SUFFIX", help="list files instead")
    options = parser.parse_args()
    tree = Tree.read(options.root)
    if options.list:
        for path, _ in tree.files(*("." + suffix for suffix in options.list)):
            print(path)
        return 0
    checks = RULES + ([clang_format] if options.format else [])
    findings = sorted(finding for check in checks for finding in check(tree))
    for finding in findings:
        print(finding)
    print(f"lint: {len(findings)} findings in {len(tree.texts)} files", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
