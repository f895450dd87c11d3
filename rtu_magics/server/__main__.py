"""``python -m rtu_magics.server``: see `rtu_magics.server.process.launch`."""

from .process.launch import main

if __name__ == "__main__":
    raise SystemExit(main())
