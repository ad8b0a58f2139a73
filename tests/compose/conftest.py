import os
import pathlib
import sys

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "compose" / "lib"), str(TOP / "tests" / "e2e")]
# stack.py wants to know where the state is when it is imported; tests that write set a folder of their own.
os.environ.setdefault("PERSAI_STATE", os.path.expanduser("~/.local/state/persai"))
