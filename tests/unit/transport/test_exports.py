import subprocess
import sys

import rtu_magics.transport as package


def test_the_public_names():
    assert package.__all__ == ["Connect", "Connection", "QuickConnection"]


def test_importing_it_does_not_load_the_websockets_library():
    code = "import sys, rtu_magics.transport; sys.exit('websockets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
