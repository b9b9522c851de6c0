#!/usr/bin/env python3
"""Cairn in containers: builds the image, runs docker-compose.yml's cluster, and breaks it.

    container_test.py --build DIR [--keep] [STEP...]

DIR is a build folder with bin/ in it. The steps are those of steps.py, in order; naming some
leaves out the others, but for the first three. --keep leaves the cluster running. Needs root, and
Docker from packages; an engine is started where none runs (host.py). Everything it makes has the
project's name, and goes away at the end, after a failure or Ctrl-C too; one run at a time.
"""

import argparse
import os
import pathlib
import signal
import sys
import time
import traceback

from cluster import IMAGE, Cluster
from host import Engine, Failure, one_at_a_time
from steps import STEPS

LIMIT_S = 1500  # below the time that ctest gives it, so that it can still clean up
OTHERS_S = 300
FIRST = 3


def ends(number, _frame):
    if number == signal.SIGALRM:
        raise Failure(f"not done within {LIMIT_S} s")
    raise KeyboardInterrupt


def run_steps(cluster, names):
    for number, step in enumerate(STEPS):
        if names and number >= FIRST and step.__name__ not in names:
            continue
        start = time.monotonic()
        print(f"== {step.__name__}", flush=True)
        step(cluster)
        if cluster.files:
            cluster.settle()
            cluster.check_files()
        print(f"  {time.monotonic() - start:.0f} s", flush=True)


def clean_up(engine, cluster):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    print("== clean up", flush=True)
    try:
        if engine.answers():
            cluster.remove()
            cluster.docker("image", "rm", "--force", IMAGE, check=False)
    except Failure as error:
        print(error, flush=True)
    finally:
        engine.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("step", nargs="*", choices=[[], *(step.__name__ for step in STEPS)])
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("container_test: needs root, for Docker")
    build = arguments.build.resolve()
    work = build / "container"
    work.mkdir(exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, ends)
    start = time.monotonic()
    engine = Engine(work)
    failure = None
    with one_at_a_time(OTHERS_S):
        signal.alarm(LIMIT_S)
        cluster = Cluster(engine, pathlib.Path(__file__).resolve().parents[2], build)
        try:
            print("== engine", flush=True)
            engine.start()
            cluster.remove()
            engine.need_base()
            print(f"  {time.monotonic() - start:.0f} s", flush=True)
            run_steps(cluster, arguments.step)
        except Failure as error:
            failure = str(error)
        except KeyboardInterrupt:
            failure = "interrupted"
        except Exception:  # whatever it is, what was made goes
            failure = traceback.format_exc()
        if failure:
            print(f"\ncontainer_test: FAILED: {failure}\n", flush=True)
        if failure and failure != "interrupted" and engine.answers():
            try:
                cluster.diagnose()
            except (Exception, KeyboardInterrupt) as error:
                print(error, flush=True)
            print(f"\ncontainer_test: FAILED: {failure}\n", flush=True)
        if not arguments.keep:
            clean_up(engine, cluster)
    print(f"-- {'failed' if failure else 'passed'} in {time.monotonic() - start:.0f} s", flush=True)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
