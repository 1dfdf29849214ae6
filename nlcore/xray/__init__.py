"""X-ray: any model and its training step, read as a nested system."""

from nlcore.xray.loops import Loop
from nlcore.xray.xray import Xray, xray

__all__ = ["Loop", "Xray", "xray"]
