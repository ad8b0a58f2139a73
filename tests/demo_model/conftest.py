import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "compose" / "demo-model"), str(HERE), str(HERE.parent / "e2e")]
