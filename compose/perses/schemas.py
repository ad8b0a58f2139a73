"""schemas.py PLUGIN_DIR: npm's Perses plugins come without their CUE schemas, and a Perses server loads none
without. This writes one for each kind in package.json that the server validates; it allows any spec."""

import json
import pathlib
import sys

plugin = pathlib.Path(sys.argv[1])
perses = json.loads((plugin / "package.json").read_text())["perses"]
schemas = plugin / perses.get("schemasPath", "schemas")
for kind in perses["plugins"]:
    name = kind["spec"]["name"]
    if kind["kind"] == "Explore":  # pages have no spec
        continue
    if any(f'"{name}"' in f.read_text() for f in schemas.rglob("*.cue")):
        continue
    (schemas / name.lower()).mkdir(parents=True, exist_ok=True)
    (schemas / name.lower() / "schema.cue").write_text(f'package model\n\nkind: "{name}"\nspec: {{...}}\n')
