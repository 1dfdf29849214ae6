"""Pictures of what a run wrote: a theme, static plots, and how a notebook shows them."""
