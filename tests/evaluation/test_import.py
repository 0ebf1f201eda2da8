import subprocess
import sys


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, pentathlon.evaluation\n"
        "print([m for m in ('sklearn', 'scipy.stats', 'kedro') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(p for p in sys.path if p)},
    )
    assert result.stdout.strip() == "[]"
