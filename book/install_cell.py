# Where the course is not installed, as on Colab or Kaggle, this installs it; elsewhere it does nothing.
import importlib.util
import subprocess
import sys
from pathlib import Path

ADDRESS = ""  # of the course's repository, https://...; left empty, it is asked for
if importlib.util.find_spec("nlcore") is None:
    source = "..[notebooks]"
    if not Path("../nlcore").is_dir():
        address = ADDRESS or input("This notebook came without its course. The address of its repository (https://...): ")
        source = f"nlcore[notebooks] @ git+{address.strip()}"
    print("Installing the course: a few minutes, once.")
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], capture_output=True, text=True)
    importlib.invalidate_caches()
    if done.returncode:
        raise SystemExit(f"The course could not be installed from {source}: {done.stderr.strip()}")
if "google.colab" in sys.modules:  # Colab shows widgets only where they are asked for, in each session
    from google.colab import output

    output.enable_custom_widget_manager()
