"""The rules of the house, as data: who may include whom, and what is banned where.

The arrows are those of docs/architecture.md. A room is a folder; a file belongs to the room with
the longest matching path. Used by lint.py alone.
"""

# room -> the rooms whose headers it may include, besides its own.
ARROWS = {
    "proto": [],
    "common": [],
    "common/net": ["common", "proto"],
    "namenode/namespace": ["common"],
    "namenode/journal": ["common"],
    "namenode/blocks": ["common"],
    "namenode/codec": ["namenode/namespace", "common"],  # and storage.proto, see PROTO_FILES
    "namenode/namesystem": [
        "namenode/namespace", "namenode/blocks", "namenode/codec", "namenode/journal", "common"],
    "namenode/monitors": ["namenode/namesystem", "namenode/blocks", "common"],
    "namenode/service": ["namenode/namesystem", "common", "common/net", "proto"],
    "namenode/web": ["namenode/namesystem", "common", "common/net", "proto"],
    # A composition root may see all of its own daemon.
    "namenode": ["namenode/*", "common", "common/net", "proto"],
    "datanode/store": ["common"],
    "datanode/pipeline": ["datanode/store", "common"],
    "datanode/scrubber": ["datanode/store", "common"],
    "datanode/control": [
        "datanode/store", "datanode/pipeline", "common", "common/net", "proto"],
    "datanode/service": [
        "datanode/store", "datanode/pipeline", "common", "common/net", "proto"],
    "datanode/web": ["datanode/store", "datanode/pipeline", "common", "common/net", "proto"],
    "datanode": ["datanode/*", "common", "common/net", "proto"],
    "client": ["common", "common/net", "proto"],
    "client/bench": ["client", "common", "common/net", "proto"],
    "client/cli": ["client", "client/bench", "client/mini", "common"],
    # The only place where the daemons meet.
    "client/mini": ["namenode", "datanode", "client", "common"],
    "tests": ["*"],
}

# Where a room may include only some of another's headers.
HEADERS = {
    ("client/mini", "namenode"): ["namenode/namenode.h"],
    ("client/mini", "datanode"): ["datanode/datanode.h"],
}
PROTO_FILES = {"namenode/codec": ["proto/storage.pb.h"]}

# The library of a room, for the DEPS of cairn_library and cairn_program.
LIBRARIES = {
    "cairn_proto": "proto", "cairn_common": "common", "cairn_net": "common/net",
    "nn_namespace": "namenode/namespace", "nn_codec": "namenode/codec",
    "nn_journal": "namenode/journal", "nn_blocks": "namenode/blocks",
    "nn_namesystem": "namenode/namesystem", "nn_monitors": "namenode/monitors",
    "nn_service": "namenode/service", "nn_web": "namenode/web", "nn_server": "namenode",
    "dn_store": "datanode/store", "dn_pipeline": "datanode/pipeline",
    "dn_scrubber": "datanode/scrubber",
    "dn_control": "datanode/control", "dn_service": "datanode/service",
    "dn_web": "datanode/web", "dn_server": "datanode",
    "cairn_client": "client", "cairn_bench": "client/bench", "cairn_cli": "client/cli",
    "cairn_mini": "client/mini",
}

# (what, a regex for an include's path, the rooms where it is banned, the rooms excepted). A room
# pattern ending in * covers the rooms below it.
BANNED_INCLUDES = [
    ("absl::Mutex gives false ThreadSanitizer reports: common/mutex.h", r"absl/synchronization/",
     ["*"], ["common"]),
    ("standard locks carry no thread-safety annotations: common/mutex.h",
     r"(mutex|shared_mutex|condition_variable|semaphore|latch|barrier)$", ["*"],
     ["common", "tests"]),
    ("iostream belongs to programs, not to libraries", r"iostream$", ["*"],
     ["client/cli", "tests"]),
    ("gRPC stays at the edges", r"(grpc|grpcpp)/|.*\.grpc\.pb\.h$",
     ["common", "namenode/namespace", "namenode/codec", "namenode/journal", "namenode/blocks",
      "namenode/namesystem", "namenode/monitors", "datanode/store", "datanode/scrubber",
      "datanode/pipeline", "client/cli"], []),
    ("protobuf stays at the edges", r"google/protobuf/",
     ["common", "namenode/namespace", "namenode/journal", "namenode/blocks",
      "namenode/namesystem", "namenode/monitors", "datanode/store", "datanode/scrubber",
      "datanode/pipeline", "client/cli"], []),
    ("HTTP and TLS are common/net's", r"(boost|openssl)/", ["*"],
     ["common/net", "namenode/web", "datanode/web", "tests"]),
    ("the command line is our own: common/command_line.h, ADR 0009", r"CLI/", ["*"], []),
    ("one library, one place in common", r"(spdlog|toml\+\+|prometheus)/", ["*"], ["common"]),
    ("the namespace is pure: no threads, clock, randomness or I/O",
     r"(thread|future|atomic|stop_token|chrono|ctime|time\.h|random|fstream|sstream|filesystem"
     r"|cstdio|stdio\.h|unistd\.h|fcntl\.h|sys/.*|pthread\.h|absl/time/.*"
     r"|common/(clock|env|mutex|thread.*|background.*|log.*|metrics.*)\.h)$",
     ["namenode/namespace"], []),
]

# (what, a regex for code without comments and strings, rooms, rooms excepted)
BANNED_CODE = [
    ("wait for a condition with a deadline, do not sleep",
     r"std::this_thread::sleep_(for|until)|\b(usleep|nanosleep)\s*\(", ["*"], ["common", "tests"]),
    ("standard locks carry no thread-safety annotations: common/mutex.h",
     r"std::(recursive_|timed_|shared_|shared_timed_)?mutex\b"
     r"|std::(lock_guard|unique_lock|scoped_lock|shared_lock|condition_variable)\b"
     r"|\bpthread_(mutex|rwlock|cond)_", ["*"], ["common", "tests"]),
    ("tests go through the public surface", r"#\s*define\s+private\b", ["*"], []),
    ("a detached thread outlives what it uses: join it", r"\.detach\s*\(\s*\)", ["*"], []),
]

MAX_LINES = 500
MAX_COLUMNS = 100
# Spelled in pieces: this file is checked too.
UNFINISHED = r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b"
MACHINE_PATHS = r"/(wo" r"rk/(main|shared|\.library)|fa" r"rm/|ro" r"ot/)|build/h" r"-"
