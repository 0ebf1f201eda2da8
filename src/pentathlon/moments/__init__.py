"""Features of a customer as they stood at a moment, from a retailer's events.

Declared once, computed by one engine for "now" and for every past assignment alike. Nothing
heavy is imported here: the analytical engine loads where it works.
"""

from pentathlon.moments.expand import Feature, expand_declarations
from pentathlon.moments.settings import FeatureDeclaration, MomentSettings

__all__ = ["Feature", "FeatureDeclaration", "MomentSettings", "expand_declarations"]
